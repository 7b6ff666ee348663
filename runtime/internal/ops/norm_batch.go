package ops

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

var batchNormFamily = []Kernel{
	{Op: "BatchNormalization", Since: 1, Build: needs(5, Tensors(buildBatchNormalization))},
}

// batchNormalization normalizes each feature over the batch.
type batchNormalization struct {
	epsilon, momentum float32
	training          bool
	// spatial is whether a feature is a channel; else it is one element of the
	// input behind the batch axis.
	spatial bool
	// savesMoments is whether the batch's own mean and variance are outputs too.
	savesMoments bool
}

func buildBatchNormalization(n *Node) (several, error) {
	b := batchNormalization{
		epsilon:      n.Float("epsilon", 1e-5),
		momentum:     n.Float("momentum", 0.9),
		spatial:      n.Opset >= 9 || n.Int("spatial", 1) != 0,
		savesMoments: n.Opset < 14,
	}
	switch {
	case n.Opset < 7:
		b.training = n.Int("is_test", 0) == 0
	case n.Opset < 14:
		// From 7 to 13 only the outputs that a node wants tell its mode.
		b.training = len(n.Outputs) > 1
	default:
		b.training = n.Int("training_mode", 0) != 0
	}
	return func(c *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		if in[0].DType() == onnx.Double {
			return runBatchNormalization[float64](c, b, in)
		}
		return runBatchNormalization[float32](c, b, in)
	}, nil
}

// runBatchNormalization takes x, scale, bias, mean and variance and gives y;
// training also gives the running mean and variance, and the batch's own.
func runBatchNormalization[T real](c *Call, b batchNormalization, operands []*tensor.Tensor) ([]*tensor.Tensor, error) {
	x := operands[0]
	shape := x.Shape()
	if len(shape) == 0 {
		return nil, fmt.Errorf("input must have rank 1 or more")
	}
	// The input is (batch, features, each), whatever its rank.
	batch, features, each := shape[0], 1, 1
	if len(shape) > 1 {
		features, each = shape[1], tensor.Count(shape[2:])
	}
	if !b.spatial {
		features, each = features*each, 1
	}
	for i, name := range []string{"scale", "bias", "mean", "variance"} {
		if operands[i+1].Len() != features {
			return nil, fmt.Errorf("%s of shape %v: want %d numbers for input %v", name, operands[i+1].Shape(), features, shape)
		}
	}
	in, err := allReals[T](operands[:5]...)
	if err != nil {
		return nil, err
	}
	data, scale, bias, center, spread := in[0], in[1], in[2], in[3], in[4]
	var runningMean, runningVariance []T
	if b.training {
		if batch*each == 0 {
			return nil, fmt.Errorf("input %v has no elements to train on", shape)
		}
		center, spread = batchMoments(data, batch, features, each)
		runningMean, runningVariance = running(in[3], center, b.momentum), running(in[4], spread, b.momentum)
	}
	y := buffer[T](c, len(data))
	err = parallel(c, len(y)/max(each, 1), each, func(from, to int) {
		for i := from; i < to; i++ {
			f := i % features
			standardize(y[i*each:][:each], data[i*each:][:each], center[f], scale[f]*inverseDeviation(spread[f], b.epsilon), bias[f])
		}
	})
	if err != nil {
		return nil, err
	}
	result, err := ofReals(x.DType(), shape, y)
	results := []*tensor.Tensor{result}
	if err != nil || !b.training {
		return results, err
	}
	moments := [][]T{runningMean, runningVariance}
	if b.savesMoments {
		moments = append(moments, center, spread)
	}
	for i, data := range moments {
		t, err := ofReals(operands[3+i%2].DType(), operands[3+i%2].Shape(), data)
		if err != nil {
			return nil, err
		}
		results = append(results, t)
	}
	return results, nil
}

// running moves running moments towards the batch's own.
func running[T real](before, now []T, momentum float32) []T {
	after := make([]T, len(before))
	for i, v := range before {
		after[i] = v*T(momentum) + now[i]*(1-T(momentum))
	}
	return after
}

// batchMoments gives each feature's mean and population variance.
func batchMoments[T real](x []T, batch, features, each int) (means, variances []T) {
	means, variances = make([]T, features), make([]T, features)
	one := make([]T, batch*each)
	for f := range features {
		for sample := range batch {
			copy(one[sample*each:], x[(sample*features+f)*each:][:each])
		}
		means[f] = mean(one)
		variances[f] = variance(one, means[f])
	}
	return means, variances
}
