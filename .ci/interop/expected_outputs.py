"""Has ONNX Runtime compute the outputs of cases.

Reads the path of a case folder per line from standard input: its model.onnx is
run on the CPU with test_data_set_0/input_0.pb, ... in the order of the model's
inputs, and the outputs are written beside those as output_0.pb, ... For each
folder a line of JSON goes to standard output:

    {}                  the outputs are there
    {"refused": TEXT}   ONNX Runtime does not load the model
    {"failed": TEXT}    it does, but cannot run it on these inputs
"""

import json
import os
import sys

import onnx
import onnx.numpy_helper
import onnxruntime


def answer(folder):
    options = onnxruntime.SessionOptions()
    # Node by node, as the graph says: no operators fused to ones that round differently.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            os.path.join(folder, "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # whatever it raises is why it refused
        return {"refused": str(error)}
    data_set = os.path.join(folder, "test_data_set_0")
    feeds = {}
    for i, wanted in enumerate(session.get_inputs()):
        tensor = onnx.load_tensor(os.path.join(data_set, f"input_{i}.pb"))
        feeds[wanted.name] = onnx.numpy_helper.to_array(tensor)
    names = [output.name for output in session.get_outputs()]
    try:
        outputs = session.run(names, feeds)
    except Exception as error:
        return {"failed": str(error)}
    for i, (name, value) in enumerate(zip(names, outputs)):
        onnx.save_tensor(onnx.numpy_helper.from_array(value, name), os.path.join(data_set, f"output_{i}.pb"))
    return {}


def main():
    # The library may write to standard output on its own: keep it for answers.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        out.write(json.dumps(answer(line.rstrip("\n"))) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
