//go:build !amd64

package convolution

func available() []kernels { return []kernels{generic} }
