package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// strandCount is how many strands a row's sum is kept in; it is the same for all
// twins, so that they give the same sums.
const strandCount = 32

func defineRows(m *machine) {
	m.function("sum", "func(x []float32) float32")
	m.result(m.strands(func(at map[string]operand.Mem, strand reg.VecVirtual) {
		m.VADDPS(m.load(at["x"]), strand, strand)
	}, "x"))

	m.function("squareSum", "func(x []float32, center float32) float32")
	center := m.parameter("center")
	m.result(m.strands(func(at map[string]operand.Mem, strand reg.VecVirtual) {
		d := m.masked(m.sub(m.load(at["x"]), center))
		m.accumulate(strand, d, d)
	}, "x"))

	m.function("dot", "func(a, b []float32) float32")
	m.result(m.strands(func(at map[string]operand.Mem, strand reg.VecVirtual) {
		m.accumulate(strand, m.load(at["a"]), m.load(at["b"]))
	}, "a", "b"))

	m.defineLargest()

	m.function("normalize", "func(y, x, scale, bias []float32, center, factor float32)")
	center, factor := m.parameter("center"), m.parameter("factor")
	m.loop(func(at map[string]operand.Mem) {
		v := m.mul(m.sub(m.load(at["x"]), center), factor)
		m.step(v, m.load(at["scale"]), m.load(at["bias"]))
		m.store(at["y"], v)
	}, "x", "y", "scale", "bias")
	m.end()

	m.function("mulScaled", "func(y, a, b []float32, factor float32)")
	factor = m.parameter("factor")
	m.loop(func(at map[string]operand.Mem) {
		m.store(at["y"], m.mul(m.mul(m.load(at["a"]), factor), m.load(at["b"])))
	}, "a", "b", "y")
	m.end()

	m.function("addScaled", "func(y, x []float32, factor float32)")
	factor = m.parameter("factor")
	m.loop(func(at map[string]operand.Mem) {
		y := m.load(at["y"])
		m.accumulate(y, m.load(at["x"]), factor)
		m.store(at["y"], y)
	}, "x", "y")
	m.end()
}

// defineLargest defines the largest element: a NaN stays in its strand.
func (m *machine) defineLargest() {
	m.function("largest", "func(x []float32) float32")
	lowest := m.all(constant(float32(math.Inf(-1))))
	strands := m.strandsFrom(lowest, func(at map[string]operand.Mem, strand reg.VecVirtual) {
		v := m.load(at["x"])
		if m.tail {
			filled := m.vector()
			if m.wide {
				m.VBLENDMPS(v, lowest, m.mask, filled)
			} else {
				m.VBLENDVPS(m.mask, v, lowest, filled)
			}
			v = filled
		}
		m.VMOVAPS(m.larger(strand, v), strand)
	}, "x")
	result := m.fold(strands, m.larger)
	m.Store(result, m.ReturnIndex(0))
	m.end()
}

// larger is the larger one, and NaN if one of them is.
func (m *machine) larger(a, b reg.VecVirtual) reg.VecVirtual {
	y := m.vectorLike(a)
	if a.Size() == 64 {
		k := m.K()
		m.VMAXPS(b, a, y) // which is b if one is NaN
		m.VCMPPS(operand.U8(unordered), a, a, k)
		m.VMOVAPS(a, k, y)
		return y
	}
	isNaN := m.vectorLike(a)
	m.VCMPPS(operand.U8(unordered), a, a, isNaN)
	m.VMAXPS(b, a, y)
	m.VBLENDVPS(isNaN, a, y, y)
	return y
}

func (m *machine) vectorLike(v reg.VecVirtual) reg.VecVirtual {
	switch v.Size() {
	case 64:
		return m.ZMM()
	case 32:
		return m.YMM()
	}
	return m.XMM()
}

// strands runs body over the elements of slices, which are as long as the first
// one. Element i belongs to strand i modulo strandCount, all of which begin at
// zero; body is given the register of the strands at hand.
func (m *machine) strands(body func(at map[string]operand.Mem, strand reg.VecVirtual), names ...string) []reg.VecVirtual {
	return m.strandsFrom(m.zeros(), body, names...)
}

func (m *machine) strandsFrom(start reg.VecVirtual, body func(at map[string]operand.Mem, strand reg.VecVirtual), names ...string) []reg.VecVirtual {
	strands := make([]reg.VecVirtual, strandCount/m.lanes())
	for i := range strands {
		strands[i] = m.copyOf(start)
	}
	count := m.Load(m.Param(names[0]).Len(), m.GP64())
	at := map[string]operand.Mem{}
	var pointers []reg.Register
	for _, name := range names {
		pointer := m.Load(m.Param(name).Base(), m.GP64())
		pointers = append(pointers, pointer)
		at[name] = operand.Mem{Base: pointer}
	}
	all := func() {
		for i, strand := range strands {
			if m.tail {
				m.mask = m.maskOf(count, i*m.lanes(), strandCount)
			}
			moved := map[string]operand.Mem{}
			for name, address := range at {
				moved[name] = address.Offset(4 * i * m.lanes())
			}
			body(moved, strand)
		}
	}
	again, rest, done := m.label("again"), m.label("rest"), m.label("done")
	m.Label(again)
	m.CMPQ(count, operand.I32(strandCount))
	m.JL(operand.LabelRef(rest))
	all()
	for _, pointer := range pointers {
		m.ADDQ(operand.U32(4*strandCount), pointer)
	}
	m.SUBQ(operand.U32(strandCount), count)
	m.JMP(operand.LabelRef(again))
	m.Label(rest)
	m.TESTQ(count, count)
	m.JZ(operand.LabelRef(done))
	m.tail = true
	all()
	m.tail = false
	m.Label(done)
	return strands
}

// fold combines strands that are half as far apart each time into one, in lane 0.
func (m *machine) fold(strands []reg.VecVirtual, combine func(a, b reg.VecVirtual) reg.VecVirtual) reg.VecVirtual {
	for len(strands) > 1 {
		half := len(strands) / 2
		for i := range half {
			strands[i] = combine(strands[i], strands[i+half])
		}
		strands = strands[:half]
	}
	v := strands[0]
	if m.wide {
		upper := m.YMM()
		m.VEXTRACTF32X8(operand.U8(1), v, upper)
		v = combine(v.AsY().(reg.VecVirtual), upper)
	}
	upper := m.XMM()
	m.VEXTRACTF128(operand.U8(1), v, upper)
	v = combine(v.AsX().(reg.VecVirtual), upper)
	for _, order := range []uint8{0b1110, 0b0001} {
		moved := m.XMM()
		m.VPERMILPS(operand.U8(order), v, moved)
		v = combine(v, moved)
	}
	return v
}

// total adds the strands up.
func (m *machine) total(strands []reg.VecVirtual) reg.Register {
	return m.fold(strands, func(a, b reg.VecVirtual) reg.VecVirtual {
		y := m.vectorLike(a)
		m.VADDPS(b, a, y)
		return y
	})
}

// result returns the sum of the strands.
func (m *machine) result(strands []reg.VecVirtual) {
	m.Store(m.total(strands), m.ReturnIndex(0))
	m.end()
}
