//go:build !amd64

package vector

var best = generic

// twin is a set of loops and the instructions that it needs.
type twin struct {
	name    string
	kernels kernels
}

// twins are all sets that this processor can run.
func twins() []twin { return []twin{{"generic", generic}} }
