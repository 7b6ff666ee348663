//go:build !amd64

package quantops

func detectProduct() productLevel { return productGeneric }

func (productLevel) kernels() *productKernels { return genericProduct }
