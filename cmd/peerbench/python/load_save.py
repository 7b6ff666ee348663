"""Reads a model and writes it as it is."""
import sys

import onnx

onnx.save(onnx.load(sys.argv[1]), sys.argv[2])
