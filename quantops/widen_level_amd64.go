package quantops

import "golang.org/x/sys/cpu"

//go:generate go run -C internal/asm ./convert ../..

// fastConversion is chosen once, when the program starts.
var fastConversion = detectConversion()

func detectConversion() conversion {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasF16C {
		return slowConversion
	}
	return conversion{widenFloat16F16C, narrowFloat16F16C, widenBFloat16AVX2, narrowBFloat16AVX2, roundFloat16F16C, roundFloat16AndAddF16C}
}
