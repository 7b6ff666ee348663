package quantops

import (
	"encoding/binary"
	"unsafe"
)

// bytePanels are the integers of a right operand for tiles of integers: panels of
// 32 columns, in which step k of each column, four or two, lie together. They end
// with rows of zeros, up to a multiple of depth.
type bytePanels struct {
	k, n, step, depth int
	bytes             []int8
}

func packBytes(w *Int8Weights, layout integerLayout) bytePanels {
	p := bytePanels{k: w.K, n: w.N, step: layout.step, depth: layout.depth}
	p.bytes = make([]int8, p.width()/panelColumns*p.stride())
	if w.Transposed {
		for column := range w.N {
			p.packColumn(column, w.Q[column*w.K:][:w.K])
		}
		return p
	}
	zeros := make([]int8, w.N)
	for k := 0; k < w.K; k += p.step {
		rows := [dotStep][]int8{zeros, zeros, zeros, zeros}
		for i := range min(p.step, w.K-k) {
			rows[i] = w.Q[(k+i)*w.N:][:w.N]
		}
		p.packRows(k, &rows)
	}
	return p
}

// packColumn writes all k of a column.
func (p *bytePanels) packColumn(column int, from []int8) {
	step := p.step
	to, at := p.bytes[column/panelColumns*p.stride():][:p.stride()], step*(column%panelColumns)
	for ; len(from) >= step; from = from[step:] {
		if step == dotStep {
			*(*[dotStep]int8)(to[at:]) = [dotStep]int8(from)
		} else {
			*(*[wordStep]int8)(to[at:]) = [wordStep]int8(from)
		}
		at += step * panelColumns
	}
	for i, q := range from {
		to[at+i] = q
	}
}

// packRows writes a step of rows, from k on, to all panels: rows are read in the order
// in which they lie, and what lies together is written at once.
func (p *bytePanels) packRows(k int, rows *[dotStep][]int8) {
	bytes := unsafe.Slice((*byte)(p.data()), len(p.bytes))
	for column := 0; column < p.n; column += panelColumns {
		line := bytes[column/panelColumns*p.stride()+k*panelColumns:][:p.step*panelColumns]
		columns := min(panelColumns, p.n-column)
		a, b := rows[0][column:][:columns], rows[1][column:][:columns]
		if p.step == wordStep {
			j := 0
			for ; j+4 <= columns; j += 4 {
				binary.LittleEndian.PutUint64(line[wordStep*j:], spaced((*[4]int8)(a[j:]))|spaced((*[4]int8)(b[j:]))<<8)
			}
			for ; j < columns; j++ {
				line[wordStep*j], line[wordStep*j+1] = byte(a[j]), byte(b[j])
			}
			continue
		}
		c, d := rows[2][column:][:columns], rows[3][column:][:columns]
		for j := range a {
			four := uint32(uint8(a[j])) | uint32(uint8(b[j]))<<8 | uint32(uint8(c[j]))<<16 | uint32(uint8(d[j]))<<24
			binary.LittleEndian.PutUint32(line[dotStep*j:], four)
		}
	}
}

// spaced are four bytes, each followed by a zero, as they lie in memory.
func spaced(bytes *[4]int8) uint64 {
	v := uint64(uint8(bytes[0])) | uint64(uint8(bytes[1]))<<8 | uint64(uint8(bytes[2]))<<16 | uint64(uint8(bytes[3]))<<24
	v = (v | v<<16) & 0x0000ffff0000ffff
	return (v | v<<8) & 0x00ff00ff00ff00ff
}

// width is n rounded up to whole panels.
func (p *bytePanels) width() int { return (p.n + panelColumns - 1) / panelColumns * panelColumns }

func roundUp(v, step int) int { return (v + step - 1) / step * step }

// stride is from a panel to the next.
func (p *bytePanels) stride() int { return roundUp(p.k, p.depth) * panelColumns }

func (p *bytePanels) data() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(p.bytes)) }

// sums are the sums of each column of each panel over blocks of so many k, a
// multiple of four: for each block, a row as wide as all panels.
func (p *bytePanels) sums(block int) []int32 {
	width, size := p.width(), p.stride()
	sums := make([]int32, (p.k+block-1)/block*width)
	for panel := range width / panelColumns {
		bytes := p.bytes[panel*size:][:size]
		for k := 0; k < p.k; k += p.step {
			to := (*[panelColumns]int32)(sums[k/block*width+panel*panelColumns:])
			line := bytes[:p.step*panelColumns]
			for j := range to {
				to[j] += int32(line[p.step*j]) + int32(line[p.step*j+1])
			}
			if p.step == dotStep {
				for j := range to {
					to[j] += int32(line[dotStep*j+2]) + int32(line[dotStep*j+3])
				}
			}
			bytes = bytes[len(line):]
		}
	}
	return sums
}

// sumFloats writes the product of one row in float32 and a panel.
func (p *bytePanels) sumFloats(sums *panelRow, a []float32, panel int) {
	*sums = panelRow{}
	bytes := p.bytes[panel*p.stride():]
	for k, v := range a {
		line := bytes[k/p.step*p.step*panelColumns+k%p.step:]
		for j := range sums {
			sums[j] += v * float32(line[p.step*j])
		}
	}
}
