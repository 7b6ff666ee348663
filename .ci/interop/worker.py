"""Answers questions about models with the ONNX checker and with ONNX Runtime.

Reads one JSON object per line from standard input and writes one per line to
standard output, in the same order:

    {"do": "check", "model": PATH}
        -> {} if onnx.checker.check_model(full_check=True) accepts the file
    {"do": "run", "model": PATH, "inputs": {NAME: FILE}, "into": DIR}
        -> {"outputs": {NAME: FILE}}: ONNX Runtime's outputs on the CPU, as .npy;
           inputs are .npy or TensorProto .pb
    {"do": "version"}
        -> {"onnx": ..., "onnxruntime": ..., "numpy": ..., "python": ...}

A question that cannot be answered gives {"error": TEXT}; the process goes on.
"""

import json
import os
import platform
import sys

import numpy
import onnx
import onnx.numpy_helper
import onnxruntime


def check(question):
    # By path, so that the checker finds external data beside the model.
    onnx.checker.check_model(question["model"], full_check=True)
    return {}


def read(path):
    if path.endswith(".npy"):
        return numpy.load(path, allow_pickle=False)
    tensor = onnx.TensorProto()
    with open(path, "rb") as file:
        tensor.ParseFromString(file.read())
    return onnx.numpy_helper.to_array(tensor)


def run(question):
    options = onnxruntime.SessionOptions()
    # Compute what the graph says: by default activations are quantized to
    # 8 bit where a DequantizeLinear feeds a MatMul.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        question["model"], options, providers=["CPUExecutionProvider"]
    )
    feeds = {name: read(path) for name, path in question["inputs"].items()}
    names = [output.name for output in session.get_outputs()]
    outputs = {}
    for i, (name, value) in enumerate(zip(names, session.run(names, feeds))):
        outputs[name] = os.path.join(question["into"], f"output_{i}.npy")
        numpy.save(outputs[name], value, allow_pickle=False)
    return {"outputs": outputs}


def version(_):
    return {
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }


def main():
    answers = {"check": check, "run": run, "version": version}
    # Some libraries write to standard output on their own: keep it for answers.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = answers[question["do"]](question)
        except Exception as error:  # any failure of a library is the answer
            answer = {"error": f"{type(error).__name__}: {error}"}
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
