package ops

import (
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/vector"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func buildPow(n *Node) (single, error) {
	align := alignment(n)
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		in, err := align(in)
		if err != nil {
			return nil, err
		}
		numbers, err := numbersIn(in[0])
		if err != nil {
			return nil, err
		}
		return numbers.power(c, in[0], in[1])
	}, nil
}

// power computes in float64, except for integers that have one as exponent.
func (n numbersOf[S, C]) power(c *Call, a, b *tensor.Tensor) (*tensor.Tensor, error) {
	exponents, err := numbersAs[float64](b)
	if err != nil {
		return nil, err
	}
	pow := func(base C, exponent float64) C { return C(math.Pow(float64(base), exponent)) }
	if isInteger[C]() {
		pow = integerPower[C]
	}
	if b.Len() == 1 && b.Rank() <= a.Rank() {
		loop := powerLoop(exponents[0], pow)
		return n.zip(c, []*tensor.Tensor{a}, func(y []C, x [][]C) { loop(y, x[0]) })
	}
	shape, err := broadcastShapes(a.Shape(), b.Shape())
	if err != nil {
		return nil, err
	}
	bases, err := n.reader(a, shape)
	if err != nil {
		return nil, err
	}
	spread := expandOperand(exponents, b.Shape(), shape)
	y := buffer[C](c, tensor.Count(shape))
	err = eachBlock(c, len(y), []reader[C]{bases}, func(lo int, x [][]C) {
		var buffer [blockElements]float64
		e := spread.block(lo, lo+len(x[0]), buffer[:])
		for i, base := range x[0] {
			y[lo+i] = pow(base, e[i])
		}
	})
	return n.tensor(shape, y), err
}

// powerLoop is the loop for one exponent; the common ones need no logarithm.
func powerLoop[C number](exponent float64, pow func(C, float64) C) func(y, x []C) {
	switch exponent {
	case 2:
		if loop, ok := any(func(y, x []float32) { vector.Mul(y, x, x) }).(func(y, x []C)); ok {
			return loop
		}
		return func(y, x []C) {
			for i, v := range x {
				y[i] = v * v
			}
		}
	case 3:
		return func(y, x []C) {
			for i, v := range x {
				y[i] = v * v * v
			}
		}
	}
	return func(y, x []C) {
		for i, v := range x {
			y[i] = pow(v, exponent)
		}
	}
}

// integerPower wraps around where the power is too large for C, as products of
// integers do. What is below 1 is cut off, and so are fractions of roots.
func integerPower[C number](base C, exponent float64) C {
	if exponent != math.Trunc(exponent) || math.Abs(exponent) >= 1<<53 {
		return C(math.Pow(float64(base), exponent))
	}
	odd := math.Mod(exponent, 2) != 0
	if exponent < 0 {
		switch {
		case base == 1 || base*base == 1 && !odd:
			return 1
		case base*base == 1:
			return base
		}
		return 0
	}
	power := C(1)
	for e := int64(exponent); e > 0; e /= 2 {
		if e%2 == 1 {
			power *= base
		}
		base *= base
	}
	return power
}
