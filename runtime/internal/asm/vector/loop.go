package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// loop runs body over the elements of slices, which are as long as the first
// one: for as many vectors as fill all lanes, and once with the rest, whose
// loads and stores are masked. It gives body an address in each slice, by the
// slice's name.
func (m *machine) loop(body func(at map[string]operand.Mem), names ...string) {
	count := m.Load(m.Param(names[0]).Len(), m.GP64())
	at := map[string]operand.Mem{}
	var pointers []reg.Register
	for _, name := range names {
		pointer := m.Load(m.Param(name).Base(), m.GP64())
		pointers = append(pointers, pointer)
		at[name] = operand.Mem{Base: pointer}
	}
	again, rest, done := m.label("again"), m.label("rest"), m.label("done")
	m.Label(again)
	m.CMPQ(count, operand.I32(m.lanes()))
	m.JL(operand.LabelRef(rest))
	body(at)
	for _, pointer := range pointers {
		m.ADDQ(operand.U32(4*m.lanes()), pointer)
	}
	m.SUBQ(operand.U32(m.lanes()), count)
	m.JMP(operand.LabelRef(again))
	m.Label(rest)
	m.TESTQ(count, count)
	m.JZ(operand.LabelRef(done))
	m.tail = true
	m.mask = m.maskOf(count, 0, m.lanes())
	body(at)
	m.tail = false
	m.Label(done)
}

func (m *machine) label(name string) string {
	m.labels++
	return fmt.Sprintf("%s%d", name, m.labels)
}

// maskOf makes the mask of the vector that begins at element first of a rest of
// count elements, which are fewer than most.
func (m *machine) maskOf(count reg.Register, first, most int) reg.Register {
	if m.wide {
		bits, mask := m.GP32(), m.K()
		m.MOVL(operand.I32(-1), bits)
		m.BZHIL(count.(reg.GPVirtual).As32(), bits, bits)
		if first > 0 {
			m.SHRL(operand.U8(first), bits)
		}
		m.KMOVW(bits, mask)
		return mask
	}
	// A window of most ones and most zeros, of which count ones are in view.
	name := fmt.Sprintf("window%d", most)
	if key := (constantKey{times: -most}); !m.constants[key] {
		m.constants[key] = true
		m.StaticGlobal(name)
		m.DataAttributes(attr.RODATA | attr.NOPTR)
		for i := range 2 * most {
			word := uint32(0)
			if i < most {
				word = 0xffffffff
			}
			m.AddDatum(4*i, operand.U32(word))
		}
	}
	window, negative, mask := m.GP64(), m.GP64(), m.YMM()
	m.LEAQ(operand.NewDataAddr(operand.Symbol{Name: name, Static: true}, 0), window)
	m.MOVQ(count, negative)
	m.NEGQ(negative)
	m.VMOVUPS(operand.Mem{Base: window, Index: negative, Scale: 4, Disp: 4 * (most + first)}, mask)
	return mask
}

func (m *machine) load(from operand.Mem) reg.VecVirtual {
	v := m.vector()
	switch {
	case !m.tail:
		m.VMOVUPS(from, v)
	case m.wide:
		m.VMOVUPS_Z(from, m.mask, v)
	default:
		m.VMASKMOVPS(from, m.mask, v)
	}
	return v
}

func (m *machine) store(to operand.Mem, v reg.VecVirtual) {
	switch {
	case !m.tail:
		m.VMOVUPS(v, to)
	case m.wide:
		m.VMOVUPS(v, m.mask, to)
	default:
		m.VMASKMOVPS(v, m.mask, to)
	}
}

// masked is v with zeros in the lanes that a masked load leaves out.
func (m *machine) masked(v reg.VecVirtual) reg.VecVirtual {
	if !m.tail {
		return v
	}
	y := m.vector()
	if m.wide {
		m.VMOVAPS_Z(v, m.mask, y)
	} else {
		m.VANDPS(m.mask, v, y)
	}
	return y
}

// end returns from the function.
func (m *machine) end() {
	m.VZEROUPPER()
	m.RET()
}

// mapping defines a function that makes y of x by f, lane by lane.
func (m *machine) mapping(name, parameters string, f func(x reg.VecVirtual, parameter map[string]reg.VecVirtual) reg.VecVirtual, names ...string) {
	m.function(name, "func(y, x []float32"+parameters+")")
	values := map[string]reg.VecVirtual{}
	for _, parameter := range names {
		values[parameter] = m.parameter(parameter)
	}
	m.loop(func(at map[string]operand.Mem) { m.store(at["y"], f(m.load(at["x"]), values)) }, "x", "y")
	m.end()
}
