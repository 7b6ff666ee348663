package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The constants are those of the generic twins, where they are explained.
const (
	log2e      = 0x1.715476p+0
	ln2High    = 0x1.62e43p-1
	ln2Low     = -0x1.05c61p-29
	roundMagic = 0x1.8p+23
	signBit    = pattern(0x80000000)
	allButSign = pattern(0x7fffffff)
)

var (
	exponential = []float32{0x1.6a4b98p-10, 0x1.123e5cp-7, 0x1.5558bap-5, 0x1.55548cp-3, 0x1.fffffcp-2}
	tanhNear    = []float32{-0x1.9454f0p-8, 0x1.5811f6p-6, -0x1.b905c4p-5, 0x1.110c5ep-3, -0x1.555548p-2}
	erfNear     = []float32{0x1.4faa3ep-14, -0x1.a61840p-11, 0x1.544b0ap-8, -0x1.b80124p-6, 0x1.ce2d64p-4, -0x1.812740p-2, 0x1.06eba8p-3}
	erfFar      = []float32{0x1.98d268p-13, -0x1.8da0ccp-9, 0x1.6b8e64p-6, -0x1.a9653ap-4, -0x1.4647b4p-1, -0x1.20ac30p+0, -0x1.b225ccp-13}
)

func defineTranscendental(m *machine) {
	plain := func(name string, f func(x reg.VecVirtual) reg.VecVirtual) {
		m.mapping(name, "", func(x reg.VecVirtual, _ map[string]reg.VecVirtual) reg.VecVirtual { return f(x) })
	}
	plain("exp", m.exp)
	plain("tanh", m.tanh)
	plain("erf", m.erf)
	plain("sigmoid", func(x reg.VecVirtual) reg.VecVirtual { return m.sigmoidTimes(x, m.all(constant(1))) })
	plain("gelu", m.gelu)
	plain("fastGelu", m.fastGelu)
	m.mapping("swish", ", alpha float32", func(x reg.VecVirtual, p map[string]reg.VecVirtual) reg.VecVirtual {
		return m.sigmoidTimes(m.mul(x, p["alpha"]), x)
	}, "alpha")
	m.mapping("elu", ", alpha float32", func(x reg.VecVirtual, p map[string]reg.VecVirtual) reg.VecVirtual {
		negative := m.mul(m.expm1(m.maximum(m.all(constant(-20)), x)), p["alpha"])
		return m.where(less, x, constant(0), negative, x)
	}, "alpha")
	m.function("expSum", "func(y, x []float32, shift float32) float32")
	shift := m.parameter("shift")
	sum := m.strands(func(at map[string]operand.Mem, strand reg.VecVirtual) {
		e := m.exp(m.sub(m.load(at["x"]), shift))
		m.store(at["y"], e)
		m.VADDPS(m.masked(e), strand, strand)
	}, "x", "y")
	m.Store(m.total(sum), m.ReturnIndex(0))
	m.end()
}

// reduce gives x = n·ln 2 + r: eʳ - 1, n as a float, and n in the low bits of
// the third.
func (m *machine) reduce(x reg.VecVirtual) (expm1, n, bits reg.VecVirtual) {
	bits = m.all(constant(roundMagic))
	m.accumulate(bits, x, constant(log2e))
	n = m.sub(bits, constant(roundMagic))
	r := m.copyOf(x)
	m.deduct(r, n, constant(ln2High))
	m.deduct(r, n, constant(ln2Low))
	p := m.polynomial(r, exponential...)
	m.step(p, m.mul(r, r), r)
	return p, n, bits
}

func (m *machine) exp(x reg.VecVirtual) reg.VecVirtual {
	x = m.minimum(m.all(constant(89)), m.maximum(m.all(constant(-105)), x))
	return m.expInRange(x)
}

// expInRange is exp where the result's exponent is at most twice as large as a
// float32 can have.
func (m *machine) expInRange(x reg.VecVirtual) reg.VecVirtual {
	p, n, _ := m.reduce(x)
	e := m.add(p, constant(1))
	if m.wide {
		m.VSCALEFPS(n, e, e)
		return e
	}
	whole, half, rest := m.YMM(), m.YMM(), m.YMM()
	m.VCVTPS2DQ(n, whole)
	m.VPSRAD(operand.U8(1), whole, half)
	m.VPSUBD(half, whole, rest)
	for _, part := range []reg.VecVirtual{half, rest} {
		m.VPSLLD(operand.U8(23), part, part)
		m.VPADDD(m.stored(0x3f800000, 8), part, part)
		m.VMULPS(part, e, e)
	}
	return e
}

// expm1 is eˣ - 1 for x of at most 88.
func (m *machine) expm1(x reg.VecVirtual) reg.VecVirtual {
	p, _, bits := m.reduce(x)
	power := m.vector()
	m.VPSLLD(operand.U8(23), bits, power)
	m.with(m.VPADDD, m.VPADDD_BCST, constant(1), power, power)
	m.step(p, power, m.sub(power, constant(1)))
	return p
}

func (m *machine) tanh(x reg.VecVirtual) reg.VecVirtual {
	size := m.and(x, allButSign)
	square := m.mul(x, x)
	near := m.polynomial(square, tanhNear...)
	m.step(near, m.mul(square, size), size)
	limited := m.minimum(m.all(constant(9.25)), size)
	e := m.expInRange(m.add(limited, limited))
	far := m.sub(m.all(constant(1)), m.div(m.all(constant(2)), m.add(e, constant(1))))
	return m.or(m.where(less, size, constant(0x1.2p-1), near, far), m.and(x, signBit))
}

// sigmoidTimes is by/(1 + e⁻ˣ).
func (m *machine) sigmoidTimes(x, by reg.VecVirtual) reg.VecVirtual {
	e := m.expInRange(m.maximum(m.all(constant(-105)), m.or(x, signBit)))
	numerator := m.mul(by, m.whereNegative(x, e, m.all(constant(1))))
	return m.div(numerator, m.add(e, constant(1)))
}

func (m *machine) erf(x reg.VecVirtual) reg.VecVirtual {
	size := m.and(x, allButSign)
	square := m.mul(x, x)
	near := m.polynomial(square, erfNear...)
	m.step(near, size, size)
	far := m.sub(m.all(constant(1)), m.expInRange(m.polynomial(m.minimum(m.all(constant(4)), size), erfFar...)))
	return m.or(m.where(less, size, constant(0x1.ep-1), near, far), m.and(x, signBit))
}

func (m *machine) gelu(x reg.VecVirtual) reg.VecVirtual {
	half := m.mul(x, constant(0.5))
	y := m.erf(m.mul(x, constant(0x1.6a09e6p-1)))
	m.step(y, half, half)
	return y
}

func (m *machine) fastGelu(x reg.VecVirtual) reg.VecVirtual {
	t := m.all(constant(0x1.988454p+0))
	m.accumulate(t, m.mul(x, x), constant(0x1.2444f2p-4))
	return m.sigmoidTimes(m.mul(t, x), x)
}
