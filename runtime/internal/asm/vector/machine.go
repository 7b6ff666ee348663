package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// machine writes instructions for vectors of float32, in AVX-512 registers if it
// is wide and else in AVX2 ones. Its methods name results first, as Go's
// assignments do. A source is a vector or a constant.
type machine struct {
	*build.Context
	wide      bool
	constants map[constantKey]bool // those that stand in the file

	tail   bool         // whether loads and stores are masked
	mask   reg.Register // of the tail: a mask register, or a vector
	labels int
}

// constant is a float32 that all lanes hold.
type constant float32

// pattern is a constant given by its bits.
type pattern uint32

// constantKey is what tells constants apart; a window of masks has times negative.
type constantKey struct {
	bits  uint32
	times int
}

func (m *machine) lanes() int {
	if m.wide {
		return 16
	}
	return 8
}

// vector is a new register.
func (m *machine) vector() reg.VecVirtual {
	if m.wide {
		return m.ZMM()
	}
	return m.YMM()
}

// stored is where a constant stands: once for AVX-512, whose instructions
// broadcast it, and else once for each lane.
func (m *machine) stored(bits uint32, times int) operand.Mem {
	name := fmt.Sprintf("constant%08xx%d", bits, times)
	if key := (constantKey{bits, times}); !m.constants[key] {
		m.constants[key] = true
		m.StaticGlobal(name)
		m.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range times {
			m.AddDatum(4*i, operand.U32(bits))
		}
	}
	return operand.NewDataAddr(operand.Symbol{Name: name, Static: true}, 0)
}

func bitsOf(source any) (uint32, bool) {
	switch source := source.(type) {
	case constant:
		return math.Float32bits(float32(source)), true
	case pattern:
		return uint32(source), true
	}
	return 0, false
}

// with writes an instruction whose first operand may be a constant.
func (m *machine) with(plain, broadcast func(...operand.Op), source any, rest ...operand.Op) {
	bits, isConstant := bitsOf(source)
	switch {
	case !isConstant:
		plain(append([]operand.Op{source.(operand.Op)}, rest...)...)
	case m.wide:
		broadcast(append([]operand.Op{m.stored(bits, 1)}, rest...)...)
	default:
		plain(append([]operand.Op{m.stored(bits, 8)}, rest...)...)
	}
}

// all is a register whose lanes all hold the constant.
func (m *machine) all(source any) reg.VecVirtual {
	bits, _ := bitsOf(source)
	v := m.vector()
	m.VBROADCASTSS(m.stored(bits, 1), v)
	return v
}

// parameter is a register whose lanes all hold the float32 parameter.
func (m *machine) parameter(name string) reg.VecVirtual {
	v := m.vector()
	single := m.XMM()
	m.Load(m.Param(name), single)
	m.VBROADCASTSS(single, v)
	return v
}

func (m *machine) copyOf(v reg.VecVirtual) reg.VecVirtual {
	c := m.vector()
	m.VMOVAPS(v, c)
	return c
}

// zeros is a register of zeros.
func (m *machine) zeros() reg.VecVirtual {
	v := m.vector()
	if m.wide {
		m.VPXORD(v, v, v)
	} else {
		m.VXORPS(v, v, v)
	}
	return v
}

// add is a + b, and so on.
func (m *machine) add(a reg.VecVirtual, b any) reg.VecVirtual {
	y := m.vector()
	m.with(m.VADDPS, m.VADDPS_BCST, b, a, y)
	return y
}

func (m *machine) sub(a reg.VecVirtual, b any) reg.VecVirtual {
	y := m.vector()
	m.with(m.VSUBPS, m.VSUBPS_BCST, b, a, y)
	return y
}

func (m *machine) mul(a reg.VecVirtual, b any) reg.VecVirtual {
	y := m.vector()
	m.with(m.VMULPS, m.VMULPS_BCST, b, a, y)
	return y
}

func (m *machine) div(a reg.VecVirtual, b any) reg.VecVirtual {
	y := m.vector()
	m.with(m.VDIVPS, m.VDIVPS_BCST, b, a, y)
	return y
}

// maximum is a where a > b, else b: so b where one of them is NaN.
func (m *machine) maximum(a reg.VecVirtual, b any) reg.VecVirtual {
	y := m.vector()
	m.with(m.VMAXPS, m.VMAXPS_BCST, b, a, y)
	return y
}

// minimum is a where a < b, else b: so b where one of them is NaN.
func (m *machine) minimum(a reg.VecVirtual, b any) reg.VecVirtual {
	y := m.vector()
	m.with(m.VMINPS, m.VMINPS_BCST, b, a, y)
	return y
}

func (m *machine) and(a reg.VecVirtual, b any) reg.VecVirtual {
	y := m.vector()
	m.with(m.VANDPS, m.VANDPS_BCST, b, a, y)
	return y
}

func (m *machine) or(a reg.VecVirtual, b any) reg.VecVirtual {
	y := m.vector()
	m.with(m.VORPS, m.VORPS_BCST, b, a, y)
	return y
}

func (m *machine) xor(a reg.VecVirtual, b any) reg.VecVirtual {
	y := m.vector()
	m.with(m.VXORPS, m.VXORPS_BCST, b, a, y)
	return y
}

func (m *machine) sqrt(a reg.VecVirtual) reg.VecVirtual {
	y := m.vector()
	m.VSQRTPS(a, y)
	return y
}

// step makes v what v·by + term is, rounded once: a step of Horner's scheme.
func (m *machine) step(v, by reg.VecVirtual, term any) {
	m.with(m.VFMADD213PS, m.VFMADD213PS_BCST, term, by, v)
}

// accumulate makes v what v + a·b is, rounded once.
func (m *machine) accumulate(v, a reg.VecVirtual, b any) {
	m.with(m.VFMADD231PS, m.VFMADD231PS_BCST, b, a, v)
}

// deduct makes v what v - a·b is, rounded once.
func (m *machine) deduct(v, a reg.VecVirtual, b any) {
	m.with(m.VFNMADD231PS, m.VFNMADD231PS_BCST, b, a, v)
}

// polynomial is that of the coefficients, from the highest power on, at x.
func (m *machine) polynomial(x reg.VecVirtual, coefficients ...float32) reg.VecVirtual {
	v := m.all(constant(coefficients[0]))
	for _, c := range coefficients[1:] {
		m.step(v, x, constant(c))
	}
	return v
}

// whereNegative is a in lanes where the sign of v is set, else b.
func (m *machine) whereNegative(v, a, b reg.VecVirtual) reg.VecVirtual {
	y := m.vector()
	if m.wide {
		k := m.K()
		m.VPMOVD2M(v, k)
		m.VBLENDMPS(a, b, k, y)
	} else {
		m.VBLENDVPS(v, a, b, y)
	}
	return y
}

// Predicates of comparisons: false where an operand is NaN, but for unordered.
const (
	less      = 0x11 // LT_OQ
	unordered = 0x03 // UNORD_Q
)

// where is a in lanes where the relation of p and q holds, else b.
func (m *machine) where(relation uint8, p reg.VecVirtual, q any, a, b reg.VecVirtual) reg.VecVirtual {
	y := m.vector()
	if m.wide {
		k := m.K()
		compare := func(plain func(...operand.Op)) func(...operand.Op) {
			return func(ops ...operand.Op) { plain(append([]operand.Op{operand.U8(relation)}, ops...)...) }
		}
		m.with(compare(m.VCMPPS), compare(m.VCMPPS_BCST), q, p, k)
		m.VBLENDMPS(a, b, k, y)
		return y
	}
	holds := m.vector()
	m.with(func(ops ...operand.Op) { m.VCMPPS(append([]operand.Op{operand.U8(relation)}, ops...)...) }, nil, q, p, holds)
	m.VBLENDVPS(holds, a, b, y)
	return y
}
