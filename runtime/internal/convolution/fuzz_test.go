package convolution

import (
	"math"
	"math/rand/v2"
	"testing"
)

// twinRun is one call of a kernel: what it is given is drawn, the same each time
// that the draw begins with the same seed. Sizes are taken modulo what a kernel
// allows. It returns the memory that the result lies in, guards included.
type twinRun func(k *kernels, d *draw, rows, columns, depth int) []float32

// draw makes operands.
type draw struct {
	*rand.Rand
	special bool // infinities, NaN, zeros, subnormal numbers among others
	sizes   bool // the operands' magnitudes, of which results are the sizes of sums
}

func newDraw(seed uint64, special, sizes bool) *draw {
	return &draw{rand.New(rand.NewPCG(seed, 7)), special, sizes}
}

func (d *draw) one() float32 {
	v := float32(d.NormFloat64())
	if d.special && d.IntN(8) == 0 {
		list := []float32{0, float32(math.Copysign(0, -1)), float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0x1p-140, -0x1p-149, 0x1p60}
		v = list[d.IntN(len(list))]
	}
	if d.sizes {
		v = float32(math.Abs(float64(v)))
	}
	return v
}

func (d *draw) floats(n int) []float32 {
	list := make([]float32, n)
	for i := range list {
		list[i] = d.one()
	}
	return list
}

// result is room for n numbers among guards.
func (d *draw) result(n int) (all, inner []float32) {
	all = make([]float32, n+2*Columns)
	for i := range all {
		all[i] = guard
	}
	return all, all[Columns+1:][:n:n]
}

// offsets are depth places from which span elements lie within n: the farthest last.
func (d *draw) offsets(depth, span, n int) []int {
	list := make([]int, depth)
	for i := range list {
		list[i] = d.IntN(n - span + 1)
	}
	list[depth-1] = n - span
	return list
}

func (d *draw) bias() *[Rows]float32 { return (*[Rows]float32)(d.floats(Rows)) }

var twinRuns = []twinRun{
	func(k *kernels, d *draw, rows, columns, depth int) []float32 {
		rows, columns = 1+rows%Rows, 1+columns%Columns
		stride := columns + depth%3
		all, dst := d.result((rows-1)*stride + columns)
		k.multiply(dst, stride, d.floats(depth*Rows), d.floats(depth*Columns), depth, d.bias(), rows, columns)
		return all
	},
	func(k *kernels, d *draw, rows, columns, depth int) []float32 {
		rows, columns = 1+rows%Rows, 1+columns%Columns
		stride := columns + depth%3
		all, dst := d.result((rows-1)*stride + columns)
		a, src, taps := d.floats(3*Rows), d.floats(3*Columns), make([]Tap, depth)
		for i := range taps {
			taps[i] = Tap{d.IntN(2*Rows + 1), d.IntN(2*Columns + 1)}
		}
		k.multiplyTaps(dst, stride, a, src, taps, d.bias(), rows, columns)
		return all
	},
	func(k *kernels, d *draw, rows, columns, depth int) []float32 {
		depth, columns = depth+1, 1+columns%Columns
		src := d.floats(columns + rows)
		all, panel := d.result((depth-1)*Columns + columns)
		k.gatherRows(panel, src, d.offsets(depth, columns, len(src)), columns)
		return all
	},
	func(k *kernels, d *draw, rows, columns, depth int) []float32 {
		depth, columns = depth+1, 1+columns%PatternColumns
		span := 1 + rows%PatternSpan
		src := d.floats(span + rows)
		var pattern [PatternColumns]int32
		for j := range columns {
			pattern[j] = int32(d.IntN(span))
		}
		all, panel := d.result((depth-1)*Columns + columns)
		k.gatherPattern(panel, src, d.offsets(depth, span, len(src)), &pattern, span, columns)
		return all
	},
	func(k *kernels, d *draw, rows, columns, depth int) []float32 {
		rows, columns, depth = 1+rows%5, 1+columns, 1+depth
		srcStride, dstStride := columns+depth%3, columns+rows%2
		src := d.floats((rows-1)*srcStride + columns + depth)
		all, dst := d.result((rows-1)*dstStride + columns)
		k.slide(dst, dstStride, src, srcStride, rows, columns, d.floats(depth), d.offsets(depth, (rows-1)*srcStride+columns, len(src)), d.one())
		return all
	},
	func(k *kernels, d *draw, rows, columns, depth int) []float32 {
		rows, columns, depth = 1+rows%5, 1+columns, 1+depth
		step := 1 + depth%2
		width := (columns-1)*step + 1
		srcStride, dstStride := width+depth%3, columns+rows%2
		src := d.floats((rows-1)*srcStride + width + depth)
		all, dst := d.result((rows-1)*dstStride + columns)
		k.greatest(dst, dstStride, src, srcStride, rows, columns, d.offsets(depth, (rows-1)*srcStride+width, len(src)), step)
		return all
	},
	func(k *kernels, d *draw, rows, columns, depth int) []float32 {
		rows, columns = 1+rows%5, 1+columns
		stride := columns + depth%3
		all, data := d.result((rows-1)*stride + columns)
		for i := range data {
			data[i] = d.one()
		}
		ramps := make([]Ramp, []int{1, rows}[depth%2])
		for i := range ramps {
			ramps[i] = Ramp{Alpha: 1 + float32(depth%4), Beta: float32(rows), Low: 0, High: []float32{6, float32(math.Inf(1))}[columns%2], Scale: 0.5, Offset: float32(depth % 3)}
		}
		k.apply(ramps, depth%4 > 1, data, stride, rows, columns)
		return all
	},
	func(k *kernels, d *draw, _, _, depth int) []float32 {
		q := make([]int8, Rows*depth)
		for i := range q {
			if q[i] = int8(d.IntN(256) - 128); d.sizes {
				q[i] = 127
			}
		}
		all, dst := d.result(len(q))
		k.widenBlock(dst, q, d.bias(), d.bias())
		return all
	},
}

// FuzzTwins holds the kernels of each instruction set to those in plain Go: to the
// same numbers, but for what it makes that products and sums are rounded together.
func FuzzTwins(f *testing.F) {
	for i := range twinRuns {
		f.Add(uint8(i), uint64(i), uint8(5), uint8(40), uint8(9), false)
		f.Add(uint8(i), uint64(i), uint8(7), uint8(77), uint8(30), true)
	}
	f.Fuzz(func(t *testing.T, which uint8, seed uint64, rows, columns, depth uint8, special bool) {
		run := twinRuns[int(which)%len(twinRuns)]
		call := func(k *kernels, sizes bool) []float32 {
			return run(k, newDraw(seed, special, sizes), int(rows), int(columns), int(depth))
		}
		want, sizes := call(&generic, false), call(&generic, true)
		for _, k := range available() {
			for i, got := range call(&k, false) {
				w := want[i]
				if got == w || got != got && w != w {
					continue
				}
				terms := float64(depth) + 4
				if far := math.Abs(float64(got) - float64(w)); !(far <= terms*0x1p-23*float64(sizes[i])) {
					t.Fatalf("%s, kernel %d: element %d is %v, in plain Go %v", k.name, int(which)%len(twinRuns), i, got, w)
				}
			}
		}
	})
}
