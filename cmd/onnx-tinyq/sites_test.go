package main

// sitesOf is how many weights are quantized in a model, by recipe.
type sitesOf struct{ w8a32, float16, bfloat16 int }

func everywhere(n int) sitesOf { return sitesOf{n, n, n} }

// belowOpset13 is for models whose opset has no bfloat16.
func belowOpset13(n int) sitesOf { return sitesOf{n, n, 0} }

// expectedSites is, for each of the shared models, how many MatMul and Gemm
// nodes read a constant weight of at least 1024 bytes: the nodes of those
// operators, but for products of activations (two for each attention).
var expectedSites = map[string]sitesOf{
	"exported/bert_dynamo":                        everywhere(12),
	"exported/bert_ts":                            everywhere(12),
	"exported/clipvision_ts":                      everywhere(12),
	"exported/distilbert_dynamo":                  everywhere(12),
	"exported/gpt2_dynamo":                        everywhere(9), // four Gemm for each of two blocks, and the head
	"exported/gru_dynamo":                         everywhere(0),
	"exported/llama_dynamo":                       everywhere(15), // seven for each of two blocks, and the head
	"exported/lstm_ts":                            everywhere(0),
	"exported/mha_dynamo":                         everywhere(4),
	"exported/mlp2d_dynamo":                       everywhere(3),
	"exported/mlp2d_ts":                           everywhere(3),
	"exported/mlp3d_ts":                           everywhere(3),
	"exported/mlp_fp16_ts":                        everywhere(2),
	"exported/mlp_nobias_dynamo":                  everywhere(3),
	"exported/mlp_nobias_ts":                      everywhere(3),
	"exported/mobilenetv3_ts":                     everywhere(2), // the classifier; the rest are Conv
	"exported/moe_dynamo":                         everywhere(0), // the experts are an Einsum; the router is small
	"exported/opt_dynamo":                         everywhere(13),
	"exported/opt_ts":                             everywhere(13),
	"exported/swin_dynamo":                        everywhere(18),
	"exported/vit_dynamo":                         everywhere(9),
	"exported/whisper_enc_dynamo":                 everywhere(12),
	"real/ppocr_cls":                              belowOpset13(1),
	"real/ppocrv4_rec":                            belowOpset13(9),
	"structural/all_zero":                         everywhere(1),
	"structural/already_dynamic":                  everywhere(0),
	"structural/already_qdq":                      everywhere(0),
	"structural/conv2d":                           everywhere(0),
	"structural/convtranspose":                    everywhere(0),
	"structural/empty_k":                          everywhere(0),
	"structural/external_one_file":                everywhere(2),
	"structural/fp16_model":                       everywhere(1),
	"structural/gather_embedding":                 everywhere(0),
	"structural/gemm_1_ta0_tb0_a1.0_b1.0_c48":     everywhere(1),
	"structural/gemm_2_ta0_tb1_a1.0_b1.0_c48":     everywhere(1),
	"structural/gemm_3_ta0_tb1_a0.5_b2.0_c1x48":   everywhere(1),
	"structural/gemm_5_ta1_tb1_a0.25_b0.0_c48":    everywhere(1),
	"structural/gemm_6_ta0_tb1_a1.0_b1.0_cscalar": everywhere(1),
	"structural/gemm_7_ta0_tb1_a1.0_b1.0_cnone":   everywhere(1),
	"structural/gemm_lhs_const":                   everywhere(0), // 768 bytes
	"structural/if_outer_and_inner_weights":       everywhere(2),
	"structural/int32_matmul":                     everywhere(0),
	// Passed to a function, which computes with them in the caller's type.
	"structural/local_function_weights_as_args": {w8a32: 2},
	"structural/matmul_2d":                      everywhere(1),
	"structural/matmul_3d_input":                everywhere(1),
	"structural/matmul_batched_weight":          everywhere(1),
	"structural/matmul_bias_opset11":            belowOpset13(2),
	"structural/matmul_bias_opset13":            everywhere(2),
	"structural/matmul_bias_opset15":            everywhere(2),
	"structural/matmul_bias_opset18":            everywhere(2),
	"structural/matmul_bias_opset21":            everywhere(2),
	"structural/matmul_bias_opset9":             belowOpset13(2),
	"structural/matmul_chain_100":               everywhere(100),
	"structural/matmul_lhs_const":               everywhere(0), // 768 bytes
	"structural/ms_fused_matmul":                everywhere(0),
	"structural/nan_inf_weight":                 everywhere(0),
	"structural/outlier_channel":                everywhere(1),
	"structural/overridable_initializer_ir8":    everywhere(1), // of two, one can be overridden
	"structural/shared_by_two_matmuls":          everywhere(2),
	"structural/tied_embedding":                 everywhere(1),
	"structural/tiny_1x1":                       everywhere(0), // 4 bytes
	"structural/weight_constant_node":           everywhere(1),
	"structural/weight_float_data":              everywhere(1),
	"structural/weight_identity":                everywhere(1),
	"structural/weight_is_graph_output":         everywhere(1),
	"structural/weight_transpose":               everywhere(1),
	"structural/zero_channel":                   everywhere(1),
	"trained/bytegpt_ts17":                      everywhere(17), // four for each of four blocks, and the head
	"trained/bytelstm_ts17":                     everywhere(1),
	"trained/digits_cnn_ts13":                   everywhere(1),
	"trained/digits_mlp_ts13":                   everywhere(3),
	"trained/digits_vit_ts13":                   everywhere(10), // four for each of two blocks, the patches, the head
}

// expectedSmallSites is the same with --min-bytes 0, of models in which that
// makes a difference.
var expectedSmallSites = map[string]sitesOf{
	"exported/moe_dynamo":         everywhere(1),
	"structural/gemm_lhs_const":   everywhere(1),
	"structural/matmul_lhs_const": everywhere(1),
	"structural/tiny_1x1":         everywhere(1),
}
