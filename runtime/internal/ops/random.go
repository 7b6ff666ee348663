package ops

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// randomFamily holds the operators that draw random numbers. With a stated seed
// every run gives the same ones; which they are, ONNX leaves open.
var randomFamily = []Kernel{
	{Op: "RandomNormal", Since: 1, Build: Single(buildRandom(readNormal, false))},
	{Op: "RandomNormalLike", Since: 1, Build: needs(1, Single(buildRandom(readNormal, true)))},
	{Op: "RandomUniform", Since: 1, Build: Single(buildRandom(readUniform, false))},
	{Op: "RandomUniformLike", Since: 1, Build: needs(1, Single(buildRandom(readUniform, true)))},
	{Op: "Bernoulli", Since: 15, Build: needs(1, Single(buildBernoulli))},
	{Op: "Multinomial", Since: 7, Build: needs(1, Single(buildMultinomial))},
	{Op: "Dropout", Since: 1, Build: needs(1, Tensors(buildDropout))},
}

// generator makes a source of random numbers, which starts anew in every run.
func generator(n *Node) func() *rand.Rand {
	if !n.Has("seed") {
		return func() *rand.Rand { return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) }
	}
	seed := uint64(math.Float32bits(n.Float("seed", 0)))
	if whole := n.Int("seed", 0); whole != 0 { // Dropout's is an integer
		seed = uint64(whole)
	}
	return func() *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }
}

func readNormal(n *Node) func(r *rand.Rand) float64 {
	mean, scale := float64(n.Float("mean", 0)), float64(n.Float("scale", 1))
	return func(r *rand.Rand) float64 { return mean + scale*r.NormFloat64() }
}

func readUniform(n *Node) func(r *rand.Rand) float64 {
	low, high := float64(n.Float("low", 0)), float64(n.Float("high", 1))
	return func(r *rand.Rand) float64 { return low + (high-low)*r.Float64() }
}

// buildRandom builds an operator that fills a tensor with numbers of a
// distribution. Its shape is an attribute, or like the operand's.
func buildRandom(distribution func(n *Node) func(r *rand.Rand) float64, like bool) func(n *Node) (single, error) {
	return func(n *Node) (single, error) {
		start, draw := generator(n), distribution(n)
		return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
			shape, target := n.Ints("shape"), onnx.DType(n.Int("dtype", int(onnx.Float)))
			if like {
				shape = in[0].Shape()
				if !n.Has("dtype") {
					target = in[0].DType()
				}
			}
			count, err := checkedCount(shape)
			if err != nil {
				return nil, err
			}
			if err := c.fits(count, 8); err != nil {
				return nil, err
			}
			random, list := start(), make([]float64, count)
			for i := range list {
				list[i] = draw(random)
			}
			return cast(c, tensor.New(shape, list), target, rounding{saturate: true})
		}, nil
	}
}

func buildBernoulli(n *Node) (single, error) {
	start := generator(n)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		chances, err := numbersAs[float64](in[0])
		if err != nil {
			return nil, err
		}
		random, list := start(), make([]bool, len(chances))
		for i, chance := range chances {
			list[i] = random.Float64() < chance
		}
		target := onnx.DType(n.Int("dtype", int(in[0].DType())))
		return cast(c, tensor.New(in[0].Shape(), list), target, rounding{})
	}, nil
}

// buildMultinomial builds Multinomial, which draws classes (batch, samples) from
// unnormalized logarithms of their probabilities (batch, classes).
func buildMultinomial(n *Node) (single, error) {
	start, samples := generator(n), n.Int("sample_size", 1)
	target := onnx.DType(n.Int("dtype", int(onnx.Int32)))
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		if in[0].Rank() != 2 || in[0].Shape()[1] == 0 {
			return nil, fmt.Errorf("operand of shape %v: want a batch and at least one class", in[0].Shape())
		}
		logarithms, err := numbersAs[float64](in[0])
		if err != nil {
			return nil, err
		}
		batch, classes := in[0].Shape()[0], in[0].Shape()[1]
		shape := []int{batch, samples}
		count, err := checkedCount(shape)
		if err != nil {
			return nil, err
		}
		random, drawn := start(), make([]int64, 0, count)
		chances := make([]float64, classes)
		for i := range batch {
			softmaxTo(chances, logarithms[i*classes:(i+1)*classes])
			for range samples {
				drawn = append(drawn, int64(drawClass(random.Float64(), chances)))
			}
		}
		return cast(c, tensor.New(shape, drawn), target, rounding{})
	}, nil
}

// drawClass is the class in whose part of [0, 1) a number lies.
func drawClass(at float64, chances []float64) int {
	for class, chance := range chances[:len(chances)-1] {
		if at -= chance; at < 0 {
			return class
		}
	}
	return len(chances) - 1
}

// buildDropout builds Dropout, which drops elements only in training: that is
// asked for by an operand since version 12. Attribute is_test of the first
// versions is not looked at, as models of their time were run without it.
func buildDropout(n *Node) (several, error) {
	start, masked := generator(n), len(n.Outputs) > 1
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		x, ratio, training := in[0], 0.5, 0.0
		for i, number := range []*float64{&ratio, &training} {
			if t := operand(in, i+1); t != nil {
				list, err := numbersAs[float64](t)
				if err != nil || len(list) != 1 {
					return nil, fmt.Errorf("operand %d of type %v and shape %v: want one number", i+1, t.DType(), t.Shape())
				}
				*number = list[0]
			}
		}
		drops := training != 0 && ratio != 0
		if !drops && !masked {
			return []*tensor.Tensor{x}, nil
		}
		kept, random := make([]bool, x.Len()), start()
		for i := range kept {
			kept[i] = !drops || random.Float64() >= ratio
		}
		mask := tensor.New(x.Shape(), kept)
		if n.Opset >= 10 && !drops {
			return []*tensor.Tensor{x, mask}, nil
		}
		factors, err := cast(c, mask, x.DType(), rounding{})
		if err != nil {
			return nil, err
		}
		if !drops {
			return []*tensor.Tensor{x, factors}, nil
		}
		numbers, err := floatsIn(x)
		if err != nil {
			return nil, err
		}
		y, err := numbers.combine(c, func(x, keep float64) float64 { return x * keep / (1 - ratio) }, x, factors)
		return []*tensor.Tensor{y, mask}, err
	}, nil
}
