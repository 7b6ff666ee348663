//go:build !amd64

package quantops

var fastConversion = slowConversion
