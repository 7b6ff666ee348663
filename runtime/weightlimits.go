package runtime

import (
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/quantops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// limitRoom is memory for the limits of one weight after another.
type limitRoom struct{ list []float64 }

func (r *limitRoom) of(n int) []float64 {
	if cap(r.list) < n {
		r.list = make([]float64, n)
	}
	return r.list[:n]
}

// limitsOf fills in what each weight's product may contribute, in the original
// weight's layout, and holds the scales to what the original weight allows.
func (s *weightSteps) limitsOf(limits []float64, l matrixLayout, w *tensor.Tensor, e terms, workers *quantops.Workers) error {
	if weight, ok := tensor.Data[float32](w); ok {
		return fillLimits(s, limits, l, weight, e, workers)
	}
	weight, err := w.Float64s()
	if err != nil {
		return err
	}
	return fillLimits(s, limits, l, weight, e, workers)
}

// channelsAtOnce is how many channels a worker takes at a time: neighbours, as
// they mostly lie side by side.
const channelsAtOnce = 256

func fillLimits[T float32 | float64](s *weightSteps, limits []float64, l matrixLayout, weight []T, e terms, workers *quantops.Workers) error {
	g := s.groups(l)
	widenGroups(g, l, weight, workers)
	parts := (l.n + channelsAtOnce - 1) / channelsAtOnce
	failures := make([]error, parts)
	workers.Each(parts, func(part int) {
		failures[part] = s.limitChannels(g, l, part*channelsAtOnce, min(l.n, (part+1)*channelsAtOnce), func(at, n, step int, off []float64) {
			limit := func(at int, off float64) {
				limits[at] = off + e.relative*(math.Abs(float64(weight[at]))+off) + e.underflow
			}
			if len(off) == n {
				for _, off := range off {
					limit(at, off)
					at += step
				}
				return
			}
			for range n {
				limit(at, off[0])
				at += step
			}
		})
	})
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// limitChannels finds how far the elements of some channels may be off, and calls
// use for stretches of n elements, from one on and a step apart, with that of each,
// or one for all.
func (s *weightSteps) limitChannels(g *weightGroups, l matrixLayout, from, to int, use func(at, n, step int, off []float64)) error {
	off := make([]float64, to-from)
	for b := range l.batches {
		for k := 0; k < l.k; {
			next := k + 1 // up to where each channel has one step
			if s.byChannel {
				next = min(l.k, (k/g.length+1)*g.length)
			}
			for n := from; n < to; n++ {
				var err error
				if off[n-from], err = g.of(b, k, n).off(s, s.at(b, k, n)); err != nil {
					return fmt.Errorf("channel %d: %w", n, err)
				}
			}
			if l.product < l.channel {
				for n := from; n < to; n++ {
					use(l.at(b, k, n), next-k, l.product, off[n-from:][:1])
				}
			} else {
				for row := k; row < next; row++ {
					use(l.at(b, row, from), to-from, l.channel, off)
				}
			}
			k = next
		}
	}
	return nil
}

// weightGroups are the runs of elements that share a scale.
type weightGroups struct {
	batch, block, channel int // how far groups are apart along each axis; 0: shared along it
	length                int // of a run along k
	list                  []weightGroup
}

func (g *weightGroups) of(b, k, n int) *weightGroup {
	return &g.list[b*g.batch+k/g.length*g.block+n*g.channel]
}

// weightGroup is the range of the original weight over the elements of one scale,
// and 0.
type weightGroup struct{ low, high float64 }

func (g *weightGroup) widen(low, high float64) {
	g.low, g.high = min(g.low, low), max(g.high, high)
}

// groups finds which elements share a scale, by how many scales there are.
func (s *weightSteps) groups(l matrixLayout) *weightGroups {
	g := &weightGroups{length: max(1, l.k)}
	blocks := 1
	switch {
	case s.scales <= 1:
	case s.byChannel:
		g.channel = 1
		if s.scales > l.n {
			g.batch = l.n
		}
	default:
		ofMatrix := s.scales
		if s.scales > l.n && s.scales%max(1, l.n*l.batches) == 0 {
			ofMatrix /= max(1, l.batches)
		}
		blocks = max(1, ofMatrix/max(1, l.n))
		g.length = max(1, (l.k+blocks-1)/blocks)
		if s.block > 0 {
			g.length = s.block
		}
		blocks = (l.k + g.length - 1) / g.length
		g.channel, g.block = 1, l.n
		if ofMatrix < s.scales {
			g.batch = l.n * blocks
		}
	}
	count := 1
	if g.channel > 0 {
		count = l.n * blocks
	}
	if g.batch > 0 {
		count *= l.batches
	}
	g.list = make([]weightGroup, max(1, count))
	return g
}

// widenGroups finds the ranges of the groups.
func widenGroups[T float32 | float64](g *weightGroups, l matrixLayout, weight []T, workers *quantops.Workers) {
	parts := (l.n + channelsAtOnce - 1) / channelsAtOnce
	found := make([]*weightGroups, parts) // where channels share groups
	workers.Each(parts, func(part int) {
		own := g
		if g.channel == 0 {
			own = &weightGroups{batch: g.batch, block: g.block, length: g.length, list: make([]weightGroup, len(g.list))}
			found[part] = own
		}
		widenChannels(own, l, weight, part*channelsAtOnce, min(l.n, (part+1)*channelsAtOnce))
	})
	for _, own := range slices.DeleteFunc(found, func(own *weightGroups) bool { return own == nil }) {
		for i, group := range own.list {
			g.list[i].widen(group.low, group.high)
		}
	}
}

func widenChannels[T float32 | float64](g *weightGroups, l matrixLayout, weight []T, from, to int) {
	for b := range l.batches {
		if l.product < l.channel { // the elements of a channel lie side by side
			for n := from; n < to; n++ {
				for k := range l.k {
					v := float64(weight[l.at(b, k, n)])
					g.of(b, k, n).widen(v, v)
				}
			}
			continue
		}
		for k := range l.k {
			groups, at := g.list[b*g.batch+k/g.length*g.block:], l.at(b, k, from)
			for n := from; n < to; n++ {
				v := float64(weight[at])
				groups[n*g.channel].widen(v, v)
				at += l.channel
			}
		}
	}
}

// off is how far a quantized element may be from the original one. A scale
// that is larger than the range of the weights asks for is an error; but one
// whose scale would be subnormal may be 1, where all elements become 0.
func (g *weightGroup) off(s *weightSteps, step float64) (float64, error) {
	const half = 0.5 * (1 + 0x1p-16)
	widest := max(-g.low, g.high)
	if s.asymmetric {
		widest = g.high - g.low
	}
	wanted := widest / s.levels
	const smallestNormal = 0x1p-126
	switch {
	case s.scales == 0:
		return 0, nil
	case !(wanted >= 2*smallestNormal) && step == 1:
		return max(-g.low, g.high), nil
	case step > wanted*(1+2*s.rounding)*(1+0x1p-20):
		return 0, fmt.Errorf("its scale is %g, but weights between %g and %g ask for at most %g", step, g.low, g.high, wanted)
	}
	return half * math.Abs(step), nil
}
