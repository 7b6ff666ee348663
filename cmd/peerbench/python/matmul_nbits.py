"""Quantizes the weights of a model to 8 bits with ONNX Runtime's own tool."""
import sys

from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

quantizer = MatMulNBitsQuantizer(sys.argv[1], bits=8, block_size=32, is_symmetric=True)
quantizer.process()
quantizer.model.save_model_to_file(sys.argv[2], use_external_data_format=False)
