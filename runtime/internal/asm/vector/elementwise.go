package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// binary is an operation on two vectors.
type binary struct {
	name string
	of   func(a, b reg.VecVirtual) reg.VecVirtual
	// turned is whether the operation with a number on the left is wanted too,
	// because it is another one than that with the number on the right.
	turned bool
}

func defineElementwise(m *machine) {
	simple := func(f func(reg.VecVirtual, any) reg.VecVirtual) func(a, b reg.VecVirtual) reg.VecVirtual {
		return func(a, b reg.VecVirtual) reg.VecVirtual { return f(a, b) }
	}
	for _, operation := range []binary{
		{"add", simple(m.add), false},
		{"sub", simple(m.sub), true},
		{"mul", simple(m.mul), false},
		{"div", simple(m.div), true},
		{"max", m.larger, false},
		{"min", m.smaller, false},
	} {
		m.function(operation.name, "func(y, a, b []float32)")
		m.loop(func(at map[string]operand.Mem) {
			m.store(at["y"], operation.of(m.load(at["a"]), m.load(at["b"])))
		}, "y", "a", "b")
		m.end()
		number := []string{"number"}
		m.mapping(operation.name+"Number", ", number float32", func(x reg.VecVirtual, p map[string]reg.VecVirtual) reg.VecVirtual {
			return operation.of(x, p["number"])
		}, number...)
		if operation.turned {
			m.mapping(operation.name+"From", ", number float32", func(x reg.VecVirtual, p map[string]reg.VecVirtual) reg.VecVirtual {
				return operation.of(p["number"], x)
			}, number...)
		}
	}
	m.function("mulAdd", "func(y, a, b, c []float32)")
	m.loop(func(at map[string]operand.Mem) {
		v := m.load(at["a"])
		m.step(v, m.load(at["b"]), m.load(at["c"]))
		m.store(at["y"], v)
	}, "y", "a", "b", "c")
	m.end()
	m.mapping("affine", ", factor, term float32", func(x reg.VecVirtual, p map[string]reg.VecVirtual) reg.VecVirtual {
		m.step(x, p["factor"], p["term"])
		return x
	}, "factor", "term")
	m.mapping("standardize", ", center, factor, term float32", func(x reg.VecVirtual, p map[string]reg.VecVirtual) reg.VecVirtual {
		d := m.sub(x, p["center"])
		m.step(d, p["factor"], p["term"])
		return d
	}, "center", "factor", "term")
	m.mapping("clip", ", least, most float32", func(x reg.VecVirtual, p map[string]reg.VecVirtual) reg.VecVirtual {
		return m.clip(x, p["least"], p["most"])
	}, "least", "most")
	m.mapping("leakyRelu", ", alpha float32", func(x reg.VecVirtual, p map[string]reg.VecVirtual) reg.VecVirtual {
		return m.where(less, x, constant(0), m.mul(x, p["alpha"]), x)
	}, "alpha")
	m.mapping("hardSigmoid", ", alpha, beta float32", func(x reg.VecVirtual, p map[string]reg.VecVirtual) reg.VecVirtual {
		m.step(x, p["alpha"], p["beta"])
		return m.clip(x, m.zeros(), m.all(constant(1)))
	}, "alpha", "beta")
	plain := func(name string, f func(x reg.VecVirtual) reg.VecVirtual) {
		m.mapping(name, "", func(x reg.VecVirtual, _ map[string]reg.VecVirtual) reg.VecVirtual { return f(x) })
	}
	plain("relu", func(x reg.VecVirtual) reg.VecVirtual { return m.maximum(m.zeros(), x) })
	plain("abs", func(x reg.VecVirtual) reg.VecVirtual { return m.and(x, allButSign) })
	plain("neg", func(x reg.VecVirtual) reg.VecVirtual { return m.xor(x, signBit) })
	plain("sqrt", m.sqrt)
	plain("hardSwish", func(x reg.VecVirtual) reg.VecVirtual {
		gate := m.all(constant(0.5))
		m.accumulate(gate, x, constant(0x1.555556p-3))
		return m.mul(x, m.clip(gate, m.zeros(), m.all(constant(1))))
	})
}

// clip is x between the bounds, and NaN where x is.
func (m *machine) clip(x, least, most reg.VecVirtual) reg.VecVirtual {
	return m.minimum(most, m.maximum(least, x))
}

// smaller is the smaller one, and NaN if one of them is.
func (m *machine) smaller(a, b reg.VecVirtual) reg.VecVirtual {
	return m.where(unordered, a, a, a, m.minimum(a, b))
}
