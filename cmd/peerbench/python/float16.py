"""Converts a model to float16 with ONNX Runtime's own tool."""
import sys

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16

onnx.save(convert_float_to_float16(onnx.load(sys.argv[1]), keep_io_types=True), sys.argv[2])
