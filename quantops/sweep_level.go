package quantops

// sweepLevel is the instruction set that weights are swept over with.
type sweepLevel uint8

// The levels, from the one that every processor has.
const (
	sweepGeneric  sweepLevel = iota
	sweepWithAVX2            // with FMA and F16C
	sweepWithAVX512
)

func (l sweepLevel) String() string { return [...]string{"generic", "AVX2", "AVX-512"}[l] }

// fastestSweep is the level of this processor.
var fastestSweep = detectSweep()
