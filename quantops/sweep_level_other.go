//go:build !amd64

package quantops

func detectSweep() sweepLevel { return sweepGeneric }

func (sweepLevel) kernels() *sweepKernels { return genericSweeps }
