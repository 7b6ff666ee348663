package ops

import "github.com/onnx-tinyq/onnx-tinyq/runtime/internal/convolution"

const (
	// lanesRank is how many spatial axes a convolution in lanes has at most.
	lanesRank = 3
	// mostTaps is how long all its lists are together at most: large kernels have
	// very many, as nearly every output lacks others of their taps.
	mostTaps = 1 << 17
)

// laneConv is a convolution of 16 images side by side. Each output reads the taps
// that lie in the input alone: in small maps, a third of them do not.
type laneConv struct {
	*ConstantConv
	lists [][]convolution.Tap // of channels and taps, for outputs that read the same of them
	tiles []laneTile
}

// laneTile is some neighbouring outputs, from one on, that a list of taps is for,
// which lie that far from a place of the input.
type laneTile struct{ output, n, input, list int }

// reach is by axes which taps of an output lie in the input: from the first to
// before the last.
type reach [lanesRank]struct{ first, last int }

// count is how many taps of one channel those are.
func (r *reach) count(rank int) int {
	n := 1
	for _, axis := range r[:rank] {
		n *= axis.last - axis.first
	}
	return n
}

// newLaneConv plans a convolution; nil if it has too many lists.
func newLaneConv(f *ConstantConv, p *convPlan) *laneConv {
	const most = convolution.Columns / lanes
	c, taps := &laneConv{ConstantConv: f}, 0
	rank := len(p.input)
	strides := rowMajor(p.input).strides
	spans := make([][]tapSpan, rank)
	for axis := range rank {
		spans[axis] = p.spans(axis)
	}
	known := map[reach]int{}
	for output := range p.outputs {
		var r reach
		place, rest := 0, output
		for axis := rank - 1; axis >= 0; axis-- {
			o := rest % p.output[axis]
			rest /= p.output[axis]
			r[axis].first, r[axis].last = spans[axis][o].first, spans[axis][o].last
			place += (o*p.strides[axis] - p.before[axis] + r[axis].first*p.dilations[axis]) * strides[axis]
		}
		list, ok := known[r]
		if !ok {
			if taps += p.channels * r.count(rank); taps > mostTaps {
				return nil
			}
			list = len(c.lists)
			known[r] = list
			c.lists = append(c.lists, c.taps(p, r, strides))
		}
		if len(c.lists[list]) == 0 {
			place = 0 // it is padding alone
		}
		if i := len(c.tiles) - 1; i >= 0 {
			if t := &c.tiles[i]; t.list == list && t.n < most && place == t.input+t.n && output%p.output[rank-1] > 0 {
				t.n++
				continue
			}
		}
		c.tiles = append(c.tiles, laneTile{output, 1, place, list})
	}
	return c
}

// taps lists what an output reads, from the first element that it does, in the
// order of channels and taps.
func (c *laneConv) taps(p *convPlan, r reach, strides []int) (list []convolution.Tap) {
	taps := []convolution.Tap{{}} // of one channel
	for axis := range p.input {
		var next []convolution.Tap
		for _, before := range taps {
			for t := r[axis].first; t < r[axis].last; t++ {
				next = append(next, convolution.Tap{
					Weights: before.Weights*p.kernel[axis] + t, Source: before.Source + (t-r[axis].first)*p.dilations[axis]*strides[axis],
				})
			}
		}
		taps = next
	}
	for channel := range p.channels {
		for _, t := range taps {
			list = append(list, convolution.Tap{Weights: convRows * (channel*p.taps + t.Weights), Source: lanes * (channel*p.inputs + t.Source)})
		}
	}
	return list
}

func (c *laneConv) run(out, in []float32, outputs, maps int, scratch []float32) {
	for first := 0; first < maps; first += convRows {
		rows := min(convRows, maps-first)
		var bias [convRows]float32
		if c.Bias != nil {
			copy(bias[:], c.Bias[first:first+rows])
		}
		weights := c.weights.block(0, first/convRows, scratch)
		dst := out[lanes*first*outputs:]
		for _, t := range c.tiles {
			convolution.MultiplyTaps(dst[lanes*t.output:], lanes*outputs, weights, in[lanes*t.input:], c.lists[t.list], &bias, rows, lanes*t.n)
		}
		c.End.finish(dst, lanes*outputs, first, rows, lanes*outputs)
	}
}
