package ops

import "sync"

// families lists the operators' tables; each stands in its family's file.
var families = [][]Kernel{
	resizeFamily,
	gridFamily,
	regionFamily,
	rearrangeFamily,
	attentionFamily,
	convFamily,
	poolFamily,
	layerNormFamily,
	channelNormFamily,
	batchNormFamily,
	recurrentFamily,
	constantFamily,
	controlFamily,
	concatFamily,
	expandFamily,
	findFamily,
	gatherFamily,
	matMulFamily,
	padFamily,
	reshapeFamily,
	scatterFamily,
	sequenceFamily,
	sliceFamily,
	transposeFamily,
	triluFamily,
	arithmeticFamily,
	functionFamily,
	activationFamily,
	logicFamily,
	castFamily,
	softmaxFamily,
	reduceFamily,
	rankingFamily,
	bitwiseFamily,
	generateFamily,
	randomFamily,
	lossFamily,
	einsumFamily,
	fourierFamily,
	determinantFamily,
	textFamily,
	tfIdfFamily,
	mlFamily,
	quantizeFamily,
	integerMatMulFamily,
	integerConvFamily,
	microsoftMatMulFamily,
	microsoftActivationFamily,
	microsoftNormFamily,
	microsoftNBitsFamily,
	microsoftIntegerFamily,
	microsoftElementwiseFamily,
	microsoftLSTMFamily,
	microsoftAttentionFamily,
}

// Lookup finds the kernel of an operator in force at an opset version: the one
// with the largest Since that is not above it. known says whether the operator
// is in the table at any version.
func Lookup(domain, op string, opset int) (k *Kernel, known bool) {
	if domain == "ai.onnx" {
		domain = ""
	}
	versions := byOperator()[operator{domain, op}]
	for _, candidate := range versions {
		if candidate.Since <= opset && (k == nil || candidate.Since > k.Since) {
			k = candidate
		}
	}
	return k, len(versions) > 0
}

// operator names one in all its versions.
type operator struct{ domain, name string }

// byOperator has the kernels of each operator.
var byOperator = sync.OnceValue(func() map[operator][]*Kernel {
	all := map[operator][]*Kernel{}
	for _, family := range families {
		for i := range family {
			o := operator{family[i].Domain, family[i].Op}
			all[o] = append(all[o], &family[i])
		}
	}
	return all
})
