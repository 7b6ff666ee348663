package quantops

import "unsafe"

// bytePanels are the integers of a right operand for tiles of integers: panels of
// 32 columns, in which step k of each column, four or two, lie together. They end
// with rows of zeros, up to a multiple of depth.
type bytePanels struct {
	k, n, step, depth int
	bytes             []int8
}

func packBytes(w *Int8Weights, kernels *productKernels) bytePanels {
	p := bytePanels{k: w.K, n: w.N, step: kernels.step(), depth: kernels.dotDepth}
	step := p.step
	size := p.stride()
	p.bytes = make([]int8, p.width()/panelColumns*size)
	for column := 0; column < w.N; column += panelColumns {
		to := p.bytes[column/panelColumns*size:][:size]
		columns := min(panelColumns, w.N-column)
		if w.Transposed {
			for j := range columns {
				from := w.Q[(column+j)*w.K:][:w.K]
				at := step * j
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
			continue
		}
		for k := range w.K {
			line := to[k/step*step*panelColumns+k%step:]
			for j, q := range w.Q[k*w.N+column:][:columns] {
				line[step*j] = q
			}
		}
	}
	return p
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
