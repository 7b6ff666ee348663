package vector

import "golang.org/x/sys/cpu"

// best is chosen once, when the program starts.
var best = twins()[len(twins())-1].kernels

// twin is a set of loops and the instructions that it needs.
type twin struct {
	name    string
	kernels kernels
}

// twins are all sets that this processor can run, the best one last.
func twins() []twin {
	all := []twin{{"generic", generic}}
	x := &cpu.X86
	if !x.HasAVX2 || !x.HasFMA || !x.HasBMI2 {
		return all
	}
	all = append(all, twin{"AVX2", avx2})
	if x.HasAVX512F && x.HasAVX512DQ {
		all = append(all, twin{"AVX-512", avx512})
	}
	return all
}

var avx512 = kernels{
	exp:         expAVX512,
	elu:         eluAVX512,
	sigmoid:     sigmoidAVX512,
	swish:       swishAVX512,
	tanh:        tanhAVX512,
	erf:         erfAVX512,
	gelu:        geluAVX512,
	fastGelu:    fastGeluAVX512,
	add:         addAVX512,
	sub:         subAVX512,
	mul:         mulAVX512,
	div:         divAVX512,
	max:         maxAVX512,
	min:         minAVX512,
	addNumber:   addNumberAVX512,
	subNumber:   subNumberAVX512,
	subFrom:     subFromAVX512,
	mulNumber:   mulNumberAVX512,
	divNumber:   divNumberAVX512,
	divFrom:     divFromAVX512,
	maxNumber:   maxNumberAVX512,
	minNumber:   minNumberAVX512,
	mulAdd:      mulAddAVX512,
	affine:      affineAVX512,
	standardize: standardizeAVX512,
	clip:        clipAVX512,
	relu:        reluAVX512,
	leakyRelu:   leakyReluAVX512,
	hardSigmoid: hardSigmoidAVX512,
	hardSwish:   hardSwishAVX512,
	abs:         absAVX512,
	neg:         negAVX512,
	sqrt:        sqrtAVX512,
	sum:         sumAVX512,
	squareSum:   squareSumAVX512,
	dot:         dotAVX512,
	expSum:      expSumAVX512,
	largest:     largestAVX512,
	addScaled:   addScaledAVX512,
	mulScaled:   mulScaledAVX512,
	normalize:   normalizeAVX512,
}

var avx2 = kernels{
	exp:         expAVX2,
	elu:         eluAVX2,
	sigmoid:     sigmoidAVX2,
	swish:       swishAVX2,
	tanh:        tanhAVX2,
	erf:         erfAVX2,
	gelu:        geluAVX2,
	fastGelu:    fastGeluAVX2,
	add:         addAVX2,
	sub:         subAVX2,
	mul:         mulAVX2,
	div:         divAVX2,
	max:         maxAVX2,
	min:         minAVX2,
	addNumber:   addNumberAVX2,
	subNumber:   subNumberAVX2,
	subFrom:     subFromAVX2,
	mulNumber:   mulNumberAVX2,
	divNumber:   divNumberAVX2,
	divFrom:     divFromAVX2,
	maxNumber:   maxNumberAVX2,
	minNumber:   minNumberAVX2,
	mulAdd:      mulAddAVX2,
	affine:      affineAVX2,
	standardize: standardizeAVX2,
	clip:        clipAVX2,
	relu:        reluAVX2,
	leakyRelu:   leakyReluAVX2,
	hardSigmoid: hardSigmoidAVX2,
	hardSwish:   hardSwishAVX2,
	abs:         absAVX2,
	neg:         negAVX2,
	sqrt:        sqrtAVX2,
	sum:         sumAVX2,
	squareSum:   squareSumAVX2,
	dot:         dotAVX2,
	expSum:      expSumAVX2,
	largest:     largestAVX2,
	addScaled:   addScaledAVX2,
	mulScaled:   mulScaledAVX2,
	normalize:   normalizeAVX2,
}
