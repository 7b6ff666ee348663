package rewrite

import "github.com/onnx-tinyq/onnx-tinyq/onnx"

// The options that change the form. MatMulNBits is for products of matrices
// outside functions; elsewhere verdictsOn names the other.
const (
	targetORT  = "--target ort"
	targetFold = "--target fold"
)

// conditions say what runtimes do, first match first. Each table ends with a
// line that always holds.
//
// Sources. ONNX Runtime from 1.25 on: measured, on 1.32's optimized graphs at
// the default level, CPU provider, x64; a test compares them with the verdicts
// again. Before 1.25: timed on 1.24, where DequantizeLinear costs a pass over
// the weight at each run and Cast and Mul cost nothing; that float16 products
// are left there too is inferred from 1.32. OpenVINO: read in its ONNX
// frontend's sources, and in the documentation of weight compression. TensorRT:
// read in the operator table of its ONNX parser, and its documentation of
// explicit quantization. tract: read in its onnx/src/ops/quant.rs and
// nn/mat_mul_nbits.rs.
var conditions = map[string][]condition{
	runtimeORT: {
		{bfloat16, Refused, "its CPU provider has no kernels for bfloat16", "--activation float16"},
		{is(packedKind), Fused, "MatMulNBits is its own kernel", ""},
		{is(integerKind), Fused, "its kernels multiply 8-bit integers", ""},
		{both(is(lookupKind), picksTheSame), Folded, "it always picks the same rows", ""},
		{is(lookupKind), Dequantized, "just the rows that are picked", ""},
		// Constants are folded while Mul still is of float16, for which the CPU
		// has no kernel: the Cast is folded, and Mul runs in float32.
		{both(is(multipliedKind), oneWeight), Folded, "a weight of one number becomes a factor", ""},
		{both(is(multipliedKind), halfScale), Dequantized, "its CPU provider does not fold products of float16: a table of float32 is multiplied", targetORT},
		{is(multipliedKind), Folded, "constants are folded when the model is loaded", ""},
		// What keeps DequantizeLinear and MatMul from becoming MatMulNBits.
		{not(isProduct), Dequantized, "only MatMul and Gemm are fused with DequantizeLinear", targetFold},
		{not(rankTwo), Dequantized, "only a weight of rank 2 is fused", targetFold},
		{onTheLeft, Dequantized, "only a weight on the right is fused", targetFold},
		{severalReaders, Dequantized, "the dequantized weight has more than one reader", targetORT},
		{madeOutside, Dequantized, "the weight is dequantized outside the body that reads it", targetORT},
		{inDouble, Dequantized, "it computes in double", targetFold},
		{scaledGemm, Dequantized, "its Gemm has alpha, beta or a transposed operand", targetORT},
		{matrixBias, Dequantized, "what is added to the product is no vector of N, so it stays a Gemm", targetORT},
		// The optimizer leaves a layer for its fusion with the Relu or Clip after it.
		{beforeClip, Dequantized, "the Relu or Clip after it keeps it from being fused", targetORT},
		{both(behindTranspose, isGemm), Dequantized, "a Transpose stands before Gemm", targetORT},
		{both(behindTranspose, halfScale), Dequantized, "a Transpose of float16 stands between", targetORT},
		// The casts between a float32 scale and a float16 layer go late; another
		// round of optimizations comes only if something else has changed then,
		// as the cast of a bias does.
		{both(castToHalf, withoutBias), Dequantized, "a Cast to float16 stands between", targetORT},
		// "Missing required weight" when a session is made.
		{outerConstants, Refused, "it looks for the weight in the body that dequantizes it; session.disable_quant_qdq=1 avoids it", targetFold},
		{always, Fused, "DequantizeLinear and the layer become MatMulNBits, with 8-bit activations unless session.qdq_matmulnbits_accuracy_level says otherwise", ""},
	},
	runtimeOldORT: {
		{bfloat16, Refused, "its CPU provider has no kernels for bfloat16", "--activation float16"},
		{is(packedKind), Fused, "from 1.22 on x64 and 1.23 on Arm64; older ones do not load it", ""},
		{is(integerKind), Fused, "its kernels multiply 8-bit integers", ""},
		{both(is(lookupKind), picksTheSame), Folded, "it always picks the same rows", ""},
		{is(lookupKind), Dequantized, "just the rows that are picked", ""},
		{both(is(multipliedKind), oneWeight), Folded, "a weight of one number becomes a factor", ""},
		{both(is(multipliedKind), halfScale), Dequantized, "its CPU provider does not fold products of float16: a table of float32 is multiplied", targetORT},
		{is(multipliedKind), Folded, "constants are folded when the model is loaded", ""},
		{isHalfProduct, Dequantized, "it neither fuses nor folds DequantizeLinear", targetORT},
		{always, Dequantized, "it neither fuses nor folds DequantizeLinear", targetFold},
	},
	runtimeOpenVINO: {
		{is(packedKind), Fused, "from the release on whose frontend takes MatMulNBits of 8 bit; older ones do not load it", "--target portable"},
		{is(integerKind), Folded, "its frontend widens the weight to int32, and multiplies that", "--recipe w8a32"},
		{is(lookupKind), Dequantized, "just the rows that are picked", ""},
		{isProduct, Fused, "Convert and Multiply on a constant are weight compression to it", ""},
		{always, Folded, "it compresses the weights of products of matrices only", ""},
	},
	runtimeTensorRT: {
		{is(packedKind), Refused, "its parser does not have MatMulNBits", "--target portable"},
		{is(integerKind), Refused, "its parser has no DynamicQuantizeLinear and no integer products", "--recipe w8a32"},
		{is(lookupKind), Dequantized, "just the rows that are picked", ""},
		{is(multipliedKind), Folded, "constants are folded when the engine is built", ""},
		{isAsymmetric, Refused, "zero points have to be 0", "leaving out --asymmetric"},
		{isBlocked, Refused, "blocks are for 4-bit types only", "--granularity channel"},
		{always, Dequantized, "int8 weights alone are storage to it, with no promise of speed", ""},
	},
	runtimeTract: {
		{is(packedKind), Refused, "it takes MatMulNBits of 2 and 4 bit only", targetFold},
		{is(integerKind), Fused, "its kernels multiply 8-bit integers", ""},
		{is(lookupKind), Dequantized, "just the rows that are picked", ""},
		{is(multipliedKind), Folded, "constants are folded when the model is loaded", ""},
		{halfScale, Refused, "its DequantizeLinear wants scales of float32", targetFold},
		{bfloat16, Refused, "its DequantizeLinear wants scales of float32", targetFold},
		{isPerChannel, Wrong, "its DequantizeLinear reads the first scale and ignores the others", targetFold},
		{always, Folded, "constants are folded when the model is loaded", ""},
	},
}

func always(*facts) bool { return true }

func is(k kind) func(*facts) bool { return func(f *facts) bool { return f.kind == k } }

func not(c func(*facts) bool) func(*facts) bool { return func(f *facts) bool { return !c(f) } }

func both(a, b func(*facts) bool) func(*facts) bool {
	return func(f *facts) bool { return a(f) && b(f) }
}

func bfloat16(f *facts) bool        { return f.scale == onnx.BFloat16 || f.result == onnx.BFloat16 }
func halfScale(f *facts) bool       { return f.scale == onnx.Float16 }
func castToHalf(f *facts) bool      { return f.scale == onnx.Float && f.result == onnx.Float16 }
func inDouble(f *facts) bool        { return f.result == onnx.Double }
func isGemm(f *facts) bool          { return f.op == "Gemm" }
func isProduct(f *facts) bool       { return f.op == "Gemm" || f.op == "MatMul" }
func isHalfProduct(f *facts) bool   { return f.result == onnx.Float16 && isProduct(f) }
func oneWeight(f *facts) bool       { return f.single }
func picksTheSame(f *facts) bool    { return f.fixed }
func rankTwo(f *facts) bool         { return f.rank == 2 }
func onTheLeft(f *facts) bool       { return f.input != 1 }
func severalReaders(f *facts) bool  { return f.readers != 1 }
func madeOutside(f *facts) bool     { return f.away }
func outerConstants(f *facts) bool  { return f.outer }
func behindTranspose(f *facts) bool { return f.transposed }
func beforeClip(f *facts) bool      { return f.clamped }
func matrixBias(f *facts) bool      { return f.bias == otherBias }
func withoutBias(f *facts) bool     { return f.bias == noBias }
func isAsymmetric(f *facts) bool    { return f.asymmetric }
func isBlocked(f *facts) bool       { return f.blocked }
func isPerChannel(f *facts) bool    { return f.perChannel || f.blocked }

func scaledGemm(f *facts) bool {
	return isGemm(f) && (f.alpha != 1 || f.transA || f.transB || f.bias != noBias && f.beta != 1)
}
