package ops

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// lossFamily holds the losses of classifiers.
var lossFamily = []Kernel{
	{Op: "NegativeLogLikelihoodLoss", Since: 12, Build: needs(2, Single(buildLikelihoodLoss))},
	{Op: "SoftmaxCrossEntropyLoss", Since: 12, Build: needs(2, Tensors(buildCrossEntropyLoss))},
}

// likelihoodLoss is what the nodes of this family state.
type likelihoodLoss struct {
	reduction string
	ignored   int
	ignores   bool
}

func readLikelihoodLoss(n *Node) (likelihoodLoss, error) {
	l := likelihoodLoss{n.Text("reduction", "mean"), n.Int("ignore_index", 0), n.Has("ignore_index")}
	switch l.reduction {
	case "none", "sum", "mean":
		return l, nil
	}
	return l, fmt.Errorf("reduction is %q: want none, sum or mean", l.reduction)
}

func buildLikelihoodLoss(n *Node) (single, error) {
	l, err := readLikelihoodLoss(n)
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return l.run(in[0], in[1], operand(in, 2))
	}, err
}

func buildCrossEntropyLoss(n *Node) (several, error) {
	l, err := readLikelihoodLoss(n)
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		numbers, err := floatsIn(in[0])
		if err != nil {
			return nil, err
		}
		logarithms, err := alongAxis(c, numbers, rowFunction{name: "LogSoftmax"}, in[0], 1)
		if err != nil {
			return nil, err
		}
		loss, err := l.run(logarithms, in[1], operand(in, 2))
		return []*tensor.Tensor{loss, logarithms}, err
	}, err
}

// run takes the logarithms of probabilities (N, C, D1, ...), the classes
// (N, D1, ...) that were right and optional weights (C) of the classes. The loss
// of each is the negative logarithm of its class, times the class's weight; the
// mean is weighted too. The result is a scalar or, unreduced, as large as classes.
func (l likelihoodLoss) run(logarithms, classes, weights *tensor.Tensor) (*tensor.Tensor, error) {
	shape := logarithms.Shape()
	if len(shape) < 2 || !slices.Equal(classes.Shape(), slices.Delete(slices.Clone(shape), 1, 2)) {
		return nil, fmt.Errorf("input of shape %v and target of shape %v: want (N, C, ...) and (N, ...)", shape, classes.Shape())
	}
	values, err := numbersAs[float64](logarithms)
	if err != nil {
		return nil, err
	}
	targets, err := integers(classes)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	count, inner := shape[1], tensor.Count(shape[2:])
	weight := slices.Repeat([]float64{1}, count)
	if weights != nil {
		if weight, err = numbersAs[float64](weights); err != nil {
			return nil, fmt.Errorf("weight: %w", err)
		}
		if len(weight) != count {
			return nil, fmt.Errorf("weight of shape %v: want one for each of the %d classes", weights.Shape(), count)
		}
	}
	losses := make([]float64, len(targets))
	var sum, total float64
	for i, class := range targets {
		if l.ignores && class == l.ignored {
			continue
		}
		if class < 0 || class >= count {
			return nil, fmt.Errorf("target %d, class %d: want a class from 0 to %d", i, class, count-1)
		}
		losses[i] = -values[(i/inner*count+class)*inner+i%inner] * weight[class]
		sum += losses[i]
		total += weight[class]
	}
	switch l.reduction {
	case "none":
		return ofReals(logarithms.DType(), classes.Shape(), losses)
	case "mean":
		sum /= total
	}
	return ofReals(logarithms.DType(), []int{}, []float64{sum})
}
