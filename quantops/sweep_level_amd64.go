package quantops

import "golang.org/x/sys/cpu"

//go:generate go run -C internal/asm ./quantize ../..

func detectSweep() sweepLevel {
	switch x := &cpu.X86; {
	case !x.HasAVX2 || !x.HasFMA || !x.HasF16C:
		return sweepGeneric
	case x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL:
		return sweepWithAVX512
	}
	return sweepWithAVX2
}

func (l sweepLevel) kernels() *sweepKernels {
	return [...]*sweepKernels{genericSweeps, sweepAVX2, sweepAVX512}[l]
}
