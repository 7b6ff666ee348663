package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var channelNormFamily = []Kernel{
	{Op: "InstanceNormalization", Since: 1, Build: needs(3, Single(buildInstanceNormalization))},
	{Op: "GroupNormalization", Since: 18, Build: needs(3, Single(buildGroupNormalization))},
	{Op: "LpNormalization", Since: 1, Build: needs(1, Single(buildLpNormalization))},
	{Op: "LRN", Since: 1, Build: needs(1, Single(buildLRN))},
	{Op: "MeanVarianceNormalization", Since: 9, Build: needs(1, Single(buildMeanVarianceNormalization))},
}

func buildInstanceNormalization(n *Node) (single, error) {
	g := groupNormalization{epsilon: n.Float("epsilon", 1e-5), perChannel: true}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) { return g.run(c, in[0], in[1], in[2]) }, nil
}

func buildGroupNormalization(n *Node) (single, error) {
	g := groupNormalization{
		groups:  n.Int("num_groups", 0),
		epsilon: n.Float("epsilon", 1e-5),
		// Scale and bias are one for each group in version 18.
		perChannel: n.Opset >= 21,
		staged:     n.Opset >= 21,
		wide:       onnx.DType(n.Int("stash_type", int(onnx.Float))) == onnx.Double,
	}
	if g.groups < 1 {
		return nil, fmt.Errorf("num_groups is %d: want at least 1", g.groups)
	}
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) { return g.run(c, in[0], in[1], in[2]) }, nil
}

// groupNormalization normalizes each group of channels of each sample of an
// input (N, C, ...).
type groupNormalization struct {
	groups     int // 0: every channel is a group
	epsilon    float32
	perChannel bool // whether scale and bias are for each channel, not each group
	staged     bool // whether a 16-bit type is rounded before and after scaling
	wide       bool // whether to compute in float64 whatever the type
}

func (g groupNormalization) run(c *Call, x, scale, bias *tensor.Tensor) (*tensor.Tensor, error) {
	if x.DType() == onnx.Double || g.wide {
		return runGroupNormalization[float64](c, g, x, scale, bias)
	}
	return runGroupNormalization[float32](c, g, x, scale, bias)
}

func runGroupNormalization[T real](c *Call, g groupNormalization, x, scale, bias *tensor.Tensor) (*tensor.Tensor, error) {
	_, each, err := channelRows(x)
	if err != nil {
		return nil, err
	}
	channels := x.Shape()[1]
	if g.groups == 0 {
		g.groups = channels
	}
	if g.groups == 0 || channels%g.groups != 0 {
		return nil, fmt.Errorf("input %v does not divide into %d groups of channels", x.Shape(), g.groups)
	}
	parameters := g.groups
	if g.perChannel {
		parameters = channels
	}
	if scale.Len() != parameters || bias.Len() != parameters {
		return nil, fmt.Errorf("scale %v and bias %v must have %d numbers each", scale.Shape(), bias.Shape(), parameters)
	}
	in, err := allReals[T](x, scale, bias)
	if err != nil {
		return nil, err
	}
	data, factors, terms := in[0], in[1], in[2]
	y := buffer[T](c, len(data))
	width := channels / g.groups * each
	err = parallel(c, x.Shape()[0]*g.groups, 4*width, func(from, to int) {
		for i := from; i < to; i++ {
			source, out := data[i*width:][:width], y[i*width:][:width]
			center := mean(source)
			inverse := inverseDeviation(variance(source, center), g.epsilon)
			staged := g.staged && x.DType().Bits() == 16
			if staged {
				standardize(out, source, center, inverse, 0)
				roundTo(x.DType(), out)
			}
			for channel := range channels / g.groups {
				p := i % g.groups
				if g.perChannel {
					p = p*(channels/g.groups) + channel
				}
				row := out[channel*each:][:each]
				if !staged {
					standardize(row, source[channel*each:][:each], center, inverse*factors[p], terms[p])
					continue
				}
				for j := range row {
					row[j] *= factors[p]
				}
				roundTo(x.DType(), row)
				for j := range row {
					row[j] += terms[p]
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return ofReals(x.DType(), x.Shape(), y)
}

func buildLpNormalization(n *Node) (single, error) {
	axis, order := n.Int("axis", -1), n.Int("p", 2)
	if order != 1 && order != 2 {
		return nil, fmt.Errorf("p is %d: want 1 or 2", order)
	}
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if in[0].DType() == onnx.Double {
			return lpNormalize[float64](in[0], axis, float64(order))
		}
		return lpNormalize[float32](in[0], axis, float64(order))
	}, nil
}

// lpNormalize divides every line along an axis by its norm; a line of zeros stays.
func lpNormalize[T real](x *tensor.Tensor, axis int, order float64) (*tensor.Tensor, error) {
	lines, err := layAxis(nil, x, axis)
	if err != nil || x.Len() == 0 {
		return x, err
	}
	data, err := reals[T](lines.table)
	if err != nil {
		return nil, err
	}
	y := slices.Clone(data)
	for i := range lines.count {
		line := y[i*lines.width:][:lines.width]
		norm := lpNorm(line, order)
		if norm == 0 {
			continue
		}
		for j := range line {
			line[j] /= norm
		}
	}
	result, err := ofReals(x.DType(), lines.table.Shape(), y)
	if err != nil {
		return nil, err
	}
	return lines.unlay(result)
}
