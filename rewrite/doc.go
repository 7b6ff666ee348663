// Package rewrite turns graphs into other graphs: rules find places, a plan
// lists them, and applying the plan gives a new model.
//
//	model ──Find(rules)──▶ Plan ──Apply──▶ Result{Model, Sites, Skips}
//	         reads no       │  sites: what will change, and into what
//	         weights        └─ skips: what was looked at and left alone, and why
//
// Quantization is one such rule, made from a Recipe by New. It brings every
// spelling of a linear layer to one normal form and stores the weight as int8
// with one scale for each output channel:
//
//	w8a32    weight ─▶ DequantizeLinear ─▶ MatMul or Gemm ─▶ as before
//	w8a16    x ─▶ Cast ─▶ MatMul or Gemm ─▶ (Add bias) ─▶ Cast
//	              weight ─▶ DequantizeLinear, to 16 bit ─┘
//
// Targets differ in how the weight becomes floats again:
//
//	portable   DequantizeLinear with an explicit axis and zero point, where the
//	           model's opset has it: from 13 on, with 16-bit scales from 19 on.
//	           Runtimes fuse it with the layer, or keep int8 in memory.
//	fold       Cast and Mul: known to every runtime since opset 7. Those that
//	           fold constants compute the floats once, when they load the model.
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
// graph. A weight that several layers read in the same way is stored once.
//
// Rules of your own implement Rule; Rules makes a Pass of them.
package rewrite
