package vector

// kernels is a twin of every loop. Slices are as long as the first operand.
type kernels struct {
	exp, sigmoid, tanh, erf, gelu, fastGelu, relu, hardSwish, abs, neg, sqrt           func(y, x []float32)
	elu, swish, leakyRelu                                                              func(y, x []float32, alpha float32)
	add, sub, mul, div, max, min                                                       func(y, a, b []float32)
	addNumber, subNumber, subFrom, mulNumber, divNumber, divFrom, maxNumber, minNumber func(y, x []float32, number float32)
	mulAdd                                                                             func(y, a, b, c []float32)
	affine                                                                             func(y, x []float32, factor, term float32)
	standardize                                                                        func(y, x []float32, center, factor, term float32)
	clip                                                                               func(y, x []float32, least, most float32)
	hardSigmoid                                                                        func(y, x []float32, alpha, beta float32)
	sum, largest                                                                       func(x []float32) float32
	squareSum                                                                          func(x []float32, center float32) float32
	dot                                                                                func(a, b []float32) float32
	expSum                                                                             func(y, x []float32, shift float32) float32
	addScaled                                                                          func(y, x []float32, factor float32)
	mulScaled                                                                          func(y, a, b []float32, factor float32)
	normalize                                                                          func(y, x, scale, bias []float32, center, factor float32)
}

// generic is what runs on every processor.
var generic = kernels{
	exp:         expGeneric,
	elu:         eluGeneric,
	sigmoid:     sigmoidGeneric,
	swish:       swishGeneric,
	tanh:        tanhGeneric,
	erf:         erfGeneric,
	gelu:        geluGeneric,
	fastGelu:    fastGeluGeneric,
	add:         addGeneric,
	sub:         subGeneric,
	mul:         mulGeneric,
	div:         divGeneric,
	max:         maxGeneric,
	min:         minGeneric,
	addNumber:   addNumberGeneric,
	subNumber:   subNumberGeneric,
	subFrom:     subFromGeneric,
	mulNumber:   mulNumberGeneric,
	divNumber:   divNumberGeneric,
	divFrom:     divFromGeneric,
	maxNumber:   maxNumberGeneric,
	minNumber:   minNumberGeneric,
	mulAdd:      mulAddGeneric,
	affine:      affineGeneric,
	standardize: standardizeGeneric,
	clip:        clipGeneric,
	relu:        reluGeneric,
	leakyRelu:   leakyReluGeneric,
	hardSigmoid: hardSigmoidGeneric,
	hardSwish:   hardSwishGeneric,
	abs:         absGeneric,
	neg:         negGeneric,
	sqrt:        sqrtGeneric,
	sum:         sumGeneric,
	squareSum:   squareSumGeneric,
	dot:         dotGeneric,
	expSum:      expSumGeneric,
	largest:     largestGeneric,
	addScaled:   addScaledGeneric,
	mulScaled:   mulScaledGeneric,
	normalize:   normalizeGeneric,
}
