// Package runtime turns graphs into numbers: a small executor that
// runs what ONNX defines, and the judge that compares two models with it.
//
//	Model ──inline functions──▶ graph ──Compile──▶ Session ──Run(feeds)──▶ outputs
//	                                     │ kernels found by domain, operator and opset
//	                                     │ constants folded, small ones
//	                                     └ products with quantized weights fused: they
//	                                       run on the integers, never made floats
//
//	original, rewritten ──Compare(feeds)──▶ Report
//	                        │ each output: error, signal-to-noise ratio, argmax
//	                        └ each layer: fed the original's activations, its error
//	                          held to the bound that is proven for it
//
// # What holds
//
// A Session is only read once it is compiled: several goroutines may Run it at
// once. Values are not changed by anyone, and are let go at their last use. A
// context ends a long Run. A model that contradicts itself gives an error that
// names the node, its operands and their shapes; kernels never write outside
// what they allocated, and nothing is allocated that a limit on the number of
// elements forbids.
//
// 16-bit operators compute in float32 and round once, where they store. Which
// operators there are, and from which opset version on, coverage.md lists; it is
// made from the kernels' own tables.
//
// The judge takes no word from whoever rewrote a model: it finds the layers that
// are computed differently by comparing the two graphs.
package runtime
