"""Lays out every test that the onnx package brings along as ONNX case folders.

    python onnx_cases.py INTO

writes INTO/KIND/NAME with model.onnx, test_data_set_0, ... and a file tol that
states the case's relative and absolute tolerance. The kinds are node (generated
by the package from its own definitions of the operators), simple,
pytorch-converted, pytorch-operator (copied from its data) and light (models
without their weights, each with the input that the package's test runner makes
up for it). Prints {KIND: COUNT} as JSON.
"""

import glob
import json
import os
import shutil
import sys

import numpy
import onnx
import onnx.backend.test.loader as loader
from onnx import numpy_helper
from onnx.backend.test.runner import Runner

# Two of its last places: what the package's runner grants every bfloat16 output.
BFLOAT16_TOLERANCE = 2**-6


def encode(value, info):
    """A value as the message that the declared type calls for."""
    if isinstance(value, onnx.TensorProto):
        return value.SerializeToString()
    makers = {
        "map_type": numpy_helper.from_dict,
        "sequence_type": numpy_helper.from_list,
        "optional_type": numpy_helper.from_optional,
        "tensor_type": lambda v, name: numpy_helper.from_array(numpy.asarray(v), name),
    }
    return makers[info.type.WhichOneof("value")](value, info.name).SerializeToString()


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def write_tolerance(folder, case, model):
    relative = case.rtol
    outputs = [output.type.tensor_type.elem_type for output in model.graph.output]
    if outputs and all(kind == onnx.TensorProto.BFLOAT16 for kind in outputs):
        relative = max(relative, BFLOAT16_TOLERANCE)
    write(os.path.join(folder, "tol"), f"{relative!r} {case.atol!r}\n".encode())


def write_values(folder, prefix, values, infos):
    for i, (value, info) in enumerate(zip(values, infos)):
        write(os.path.join(folder, f"{prefix}_{i}.pb"), encode(value, info))


def generated(case, folder):
    write(os.path.join(folder, "model.onnx"), case.model.SerializeToString())
    for i, (inputs, outputs) in enumerate(case.data_sets):
        data_set = os.path.join(folder, f"test_data_set_{i}")
        os.makedirs(data_set)  # stays empty if the model takes and gives nothing
        write_values(data_set, "input", inputs, case.model.graph.input)
        write_values(data_set, "output", outputs, case.model.graph.output)
    write_tolerance(folder, case, case.model)


def stored(case, folder):
    shutil.copytree(case.model_dir, folder)
    write_tolerance(folder, case, onnx.load(os.path.join(folder, "model.onnx")))


def light(case, folder):
    path = os.path.join(os.path.dirname(onnx.__file__), os.pardir, case.url)
    model = onnx.load(path)
    write(os.path.join(folder, "model.onnx"), model.SerializeToString())
    data_set = os.path.join(folder, "test_data_set_0")
    initializers = {tensor.name for tensor in model.graph.initializer}
    inputs = [info for info in model.graph.input if info.name not in initializers]
    made_up = [Runner.generate_dummy_data(info, name=case.name) for info in inputs]
    write_values(data_set, "input", made_up, inputs)
    expected = sorted(glob.glob(os.path.splitext(path)[0] + "_output_*.pb"))
    if len(expected) != len(model.graph.output):
        raise FileNotFoundError(f"{path}: {len(expected)} of {len(model.graph.output)} outputs are stored")
    for i, output in enumerate(expected):
        shutil.copy(output, os.path.join(data_set, f"output_{i}.pb"))
    write_tolerance(folder, case, model)


def main():
    into = sys.argv[1]
    kinds = {
        "node": ("node", generated),
        "simple": ("simple", stored),
        "pytorch-converted": ("pytorch-converted", stored),
        "pytorch-operator": ("pytorch-operator", stored),
        # The package calls the tests of its light models real.
        "real": ("light", light),
    }
    counts = {}
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # generating some cases prints
    for source, (kind, lay_out) in kinds.items():
        cases = loader.load_model_tests(kind=source)
        for case in cases:
            lay_out(case, os.path.join(into, kind, case.name))
        counts[kind] = len(cases)
    json.dump(counts, out)
    out.flush()


if __name__ == "__main__":
    main()
