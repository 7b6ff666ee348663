// Package rewrite turns graphs into other graphs: rules find places, a plan
// lists them, and applying the plan gives a new model.
//
//	model ──Find(rules)──▶ Plan ──Apply──▶ Result{Model, Sites, Skips}
//	         reads no       │  sites: what will change, and into what
//	         weights        └─ skips: what was looked at and left alone, and why
//
// Quantization is one such rule, made from a Recipe by New. A table says where
// each operator keeps weights and how they lie; every spelling is brought to one
// normal form (an operand: node, input, constant, axis), and the recipes build
// their replacements from that alone:
//
//	w8a32    weight ─▶ dequantize ─▶ MatMul, Gemm, Conv, … ─▶ as before
//	w8a16    x ─▶ Cast ─▶ the same in 16 bit ─▶ (Add bias) ─▶ Cast
//	              weight ─▶ dequantize, to 16 bit ─┘
//	w8a8     x ─▶ DynamicQuantizeLinear ─▶ MatMulInteger ─▶ Cast ─▶ Mul by both scales ─▶ (Add)
//	lookup   indices ─▶ Gather int8 rows, Gather their scales ─▶ Cast ─▶ Mul
//
// Targets differ in how a weight becomes floats again:
//
//	portable   DequantizeLinear with an explicit axis and zero point, where the
//	           model's opset has it: from 13 on, with 16-bit scales from 19 on,
//	           in blocks from 21 on. Runtimes fuse it with the layer, or keep
//	           int8 in memory.
//	fold       Cast and Mul: known to every runtime since opset 7. Those that
//	           fold constants compute the floats once, when they load the model.
//	ort        com.microsoft MatMulNBits, for ONNX Runtime alone.
//
// # What holds
//
// A model is never changed in place. A replacement defines the output names of
// what it replaces, so no reader is rewired; where nothing changes, the file's
// bytes stay as they are. Neither the opset nor the IR version is ever raised.
// What a rule looked at and left alone has a reason. A second run on a plan's
// own result changes nothing.
//
// The float weight stays if anything else reads it or if it is an output of the
// graph. A weight that several layers read in the same way is stored once, and so
// is one that the model holds twice, or looks up and multiplies.
//
// # Mixing forms
//
// Also plans another recipe for a plan's model, and With takes its form for some
// sites; Without leaves sites in float. Groups says which sites stand or fall
// together. Whoever can run models may so spend bytes where they save most noise.
//
// Rules of your own implement Rule; Rules makes a Pass of them.
package rewrite
