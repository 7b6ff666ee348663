package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Where the fields of quantops.sweep lie.
const (
	sweepData      = 0
	sweepDst       = 24
	sweepScales    = 48
	sweepOver      = 72
	sweepUnder     = 96
	sweepZeros     = 120
	sweepLow       = 144
	sweepHigh      = 168
	sweepStride    = 192
	sweepRows      = 200
	sweepCount     = 208
	sweepDstStride = 216
	sweepLeast     = 224
	sweepMost      = 228
	sweepAhead     = 232
	sweepPast      = 240
)

// sweepStretches is how many stretches are read side by side.
const sweepStretches = 4

// step is how many floats one turn of a loop takes, at every level.
const step = 16

// level is an instruction set: a step takes so many of its vectors.
type level struct {
	name, title string
	lanes       int
	vectors     []reg.VecPhysical
	// asksAhead says that loops which only read ask for floats before their turn.
	asksAhead bool
}

var (
	avx512 = level{"AVX512", "AVX-512", 16, []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
	}, true}
	avx2 = level{"AVX2", "AVX2", 8, []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
	}, false}
)

func (l level) parts() int { return step / l.lanes }

// half is a 256-bit register, quarter a 128-bit one.
func half(i int) reg.VecPhysical { return avx2.vectors[i] }

var quarters = []reg.VecPhysical{
	reg.X0, reg.X1, reg.X2, reg.X3, reg.X4, reg.X5, reg.X6, reg.X7, reg.X8, reg.X9, reg.X10, reg.X11, reg.X12, reg.X13, reg.X14, reg.X15,
}

func quarter(i int) reg.VecPhysical { return quarters[i] }

// float is a type that weights are stored in.
type float struct {
	name string
	size int
}

var floats = []float{{"Float32", 4}, {"Float64", 8}, {"Float16", 2}, {"BFloat16", 2}}

func at(base reg.Register, offset int) operand.Mem { return operand.Mem{Base: base, Disp: offset} }

// load brings the floats of one vector into register i as float32. Register
// spare is overwritten.
func (k *kernels) load(l level, t float, base reg.Register, part, i, spare int) {
	from := func(element int) operand.Mem { return at(base, (part*l.lanes+element)*t.size) }
	to := l.vectors[i]
	switch t.name {
	case "Float32":
		k.VMOVUPS(from(0), to)
	case "Float16":
		k.VCVTPH2PS(from(0), to)
	case "BFloat16":
		k.VPMOVZXWD(from(0), to)
		k.VPSLLD(operand.Imm(16), to, to)
	case "Float64":
		if l.lanes == 16 {
			k.VCVTPD2PS(from(0), half(i))
			k.VCVTPD2PS(from(8), half(spare))
			k.VINSERTF64X4(operand.Imm(1), half(spare), to, to)
		} else {
			k.VCVTPD2PSY(from(0), quarter(i))
			k.VCVTPD2PSY(from(4), quarter(spare))
			k.VINSERTF128(operand.Imm(1), quarter(spare), to, to)
		}
	}
}

// nearAhead is how many bytes before they are used neighbours are asked for. The
// processor's own guesses end at each page of 4 KiB. Asking for what is not there
// does no harm.
const nearAhead = 1024

// prefetch asks for floats that lie so many bytes after base, or as many as the
// register ahead says.
func (k *kernels) prefetch(t float, base, ahead reg.Register, floats int) {
	for offset := 0; offset < floats*t.size; offset += 64 {
		from := at(base, offset)
		if ahead == nil {
			from.Disp += nearAhead
		} else {
			from.Index, from.Scale = ahead, 1
		}
		k.PREFETCHT0(from)
	}
}

// prefetchRows asks for the step that lies so many bytes below: the rows of a
// group are read side by side, and those of the next group are what the processor
// does not guess, as each may begin a page. The second-level cache holds them all,
// the first does not where rows are a multiple of 4 KiB apart.
func (k *kernels) prefetchRows(t float, base, below reg.Register) {
	for offset := 0; offset < step*t.size; offset += 64 {
		k.PREFETCHT1(operand.Mem{Base: base, Index: below, Scale: 1, Disp: offset})
	}
}

// constant fills a register with a 32-bit number. RDX is overwritten.
func (k *kernels) constant(l level, bits uint32, i int) {
	k.MOVL(operand.U32(bits), reg.EDX)
	k.VMOVD(reg.EDX, quarter(i))
	k.VPBROADCASTD(quarter(i), l.vectors[i])
}

// arguments loads fields of the sweep into registers.
func (k *kernels) arguments(fields map[int]reg.Register) {
	k.MOVQ(operand.NewParamAddr("s", 0), reg.RAX)
	for offset := 0; offset <= sweepPast; offset += 4 {
		if r, ok := fields[offset]; ok {
			k.MOVQ(at(reg.RAX, offset), r)
		}
	}
}
