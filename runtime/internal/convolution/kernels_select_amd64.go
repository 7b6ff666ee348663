package convolution

import "golang.org/x/sys/cpu"

// available lists the kernels that this processor can run, the fastest first.
func available() []kernels {
	all := []kernels{generic}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		all = append([]kernels{{"AVX2", tileAVX2, scatteredAVX2, tapsAVX2, gatherAVX2, gatherPatternGeneric, rampAVX2, widenAVX2, largestAVX2}}, all...)
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ && cpu.X86.HasBMI2 {
			all = append([]kernels{{"AVX-512", tileAVX512, scatteredAVX512, tapsAVX512, gatherAVX512, gatherPatternAVX512, rampAVX512, widenAVX2, largestAVX512}}, all...)
		}
	}
	return all
}
