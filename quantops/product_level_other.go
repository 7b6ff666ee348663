//go:build !amd64

package quantops

func (l productLevel) supported() bool { return l == productGeneric }

func (productLevel) kernels() *productKernels { return genericProduct }
