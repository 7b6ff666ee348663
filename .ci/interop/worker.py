"""Answers questions about models with the ONNX checker and with ONNX Runtime.

Reads one JSON object per line from standard input and writes one per line to
standard output, in the same order:

    {"do": "check", "model": PATH}
        -> {} if onnx.checker.check_model(full_check=True) accepts the file
    {"do": "run", "model": PATH, "inputs": {NAME: FILE}, "into": DIR}
        -> {"outputs": {NAME: FILE}}: ONNX Runtime's outputs on the CPU, as .npy;
           inputs are .npy or TensorProto .pb; with "by": "reference", or where
           ONNX Runtime would not multiply integers exactly, those of the onnx
           package's own slow evaluator
    {"do": "optimize", "model": PATH, "into": DIR}
        -> {"refused": ""; "nodes": [{"op", "inputs", "outputs"}], "initializers": {NAME: TYPE}}:
           what ONNX Runtime makes of the graph at its default optimization level,
           bodies included; or {"refused": TEXT} if it does not load the model
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
import onnx.reference
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
    feeds = {name: read(path) for name, path in question["inputs"].items()}
    session = None
    if question.get("by") != "reference":
        optimized = os.path.join(question["into"], "optimized.onnx")
        session = faithful_session(question["model"], optimized)
        names = [output.name for output in session.get_outputs()]
        if saturates(onnx.load(optimized, load_external_data=False).graph, {}):
            session = None
        os.remove(optimized)
    if session is None:
        session = onnx.reference.ReferenceEvaluator(question["model"])
        names = session.output_names
    outputs = {}
    for i, (name, value) in enumerate(zip(names, session.run(names, feeds))):
        outputs[name] = os.path.join(question["into"], f"output_{i}.npy")
        numpy.save(outputs[name], value, allow_pickle=False)
    return {"outputs": outputs}


INTEGER_PRODUCTS = {"MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"}


def saturates(graph, outer):
    """Says whether a product of the optimized graph reads an int8 weight.

    Asked for exact sums, ONNX Runtime makes such weights uint8, whose products
    do not saturate; but it does not reach those in an If's branch.
    """
    types = outer | {i.name: i.data_type for i in graph.initializer}
    for node in graph.node:
        if node.op_type in INTEGER_PRODUCTS and types.get(node.input[1]) == onnx.TensorProto.INT8:
            return True
        for attribute in node.attribute:
            graphs = [attribute.g, *attribute.graphs] if attribute.HasField("g") else attribute.graphs
            if any(saturates(inner, types) for inner in graphs):
                return True
    return False


def faithful_session(model, optimized):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = optimized
    # Compute what the graph says: by default activations are quantized to
    # 8 bit where a DequantizeLinear feeds a MatMul.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    # Without VNNI instructions its fastest integer products saturate at 16 bit.
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def optimize(question):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = os.path.join(question["into"], "optimized.onnx")
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(
            question["model"],
            options,
            providers=["CPUExecutionProvider"],
            # It lays float weights out for this very processor, under new names.
            disabled_optimizers=["NchwcTransformer"],
        )
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {error}"}
    nodes, initializers = [], {}
    graphs = [onnx.load(options.optimized_model_filepath).graph]
    while graphs:
        graph = graphs.pop()
        for tensor in graph.initializer:
            initializers[tensor.name] = onnx.TensorProto.DataType.Name(tensor.data_type)
        for node in graph.node:
            nodes.append(
                {"op": node.op_type, "inputs": list(node.input), "outputs": list(node.output)}
            )
            graphs.extend(a.g for a in node.attribute if a.HasField("g"))
    return {"refused": "", "nodes": nodes, "initializers": initializers}


def version(_):
    return {
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
    }


def main():
    answers = {"check": check, "run": run, "optimize": optimize, "version": version}
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
