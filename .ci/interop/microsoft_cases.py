"""Lays out cases of ONNX Runtime's own operators as ONNX case folders.

    python microsoft_cases.py INTO

writes INTO/NAME with model.onnx (one node), test_data_set_0 and a file tol. The
inputs are random, always the same; the outputs are ONNX Runtime's, on the CPU.
Prints the number of cases.
"""

import os
import sys

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

sys.dont_write_bytecode = True  # the import would leave files among the sources
import microsoft_attention

MICROSOFT = "com.microsoft"


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


class Writer:
    """Writes cases, and makes up what goes into them."""

    def __init__(self, into):
        self.into = into
        self.count = 0
        self.random = numpy.random.default_rng(1)

    def normal(self, *shape, dtype=numpy.float32):
        return self.random.normal(size=shape).astype(dtype)

    def integers(self, dtype, *shape):
        limits = numpy.iinfo(dtype)
        return self.random.integers(limits.min, limits.max, shape, dtype, endpoint=True)

    def weights(self, dtype, *shape):
        """Signed ones have 7 bits: where a CPU lacks the instructions for it, ONNX
        Runtime's sums of two products of 8 bits saturate at 16."""
        values = self.integers(dtype, *shape)
        return values // 2 if dtype == numpy.int8 else values

    def scales(self, *shape):
        return self.random.uniform(0.01, 0.1, shape).astype(numpy.float32)

    def case(self, name, op, inputs, outputs=(numpy.float32,), constants=(), domain=MICROSOFT, tol=(1e-5, 1e-5), **attributes):
        """One node. An input or output that is None is left out; constants are
        the inputs that are initializers."""
        names = [f"input_{i}" if value is not None else "" for i, value in enumerate(inputs)]
        results = [f"output_{i}" if kind is not None else "" for i, kind in enumerate(outputs)]
        node = helper.make_node(op, names, results, domain=domain, **attributes)
        fed, stored = [], []
        for i, value in enumerate(inputs):
            if value is not None:
                (stored if i in constants else fed).append(numpy_helper.from_array(numpy.asarray(value), names[i]))
        graph = helper.make_graph(
            [node],
            name,
            [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in fed],
            [
                helper.make_tensor_value_info(result, helper.np_dtype_to_tensor_dtype(numpy.dtype(kind)), None)
                for result, kind in zip(results, outputs)
                if kind is not None
            ],
            stored,
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        expected = session.run(None, {t.name: numpy_helper.to_array(t) for t in fed})
        folder = os.path.join(self.into, name)
        data_set = os.path.join(folder, "test_data_set_0")
        write(os.path.join(folder, "model.onnx"), model)
        write(os.path.join(folder, "tol"), b"%r %r\n" % tol)
        for i, tensor in enumerate(fed):
            write(os.path.join(data_set, f"input_{i}.pb"), tensor.SerializeToString())
        for i, (result, value) in enumerate(zip(session.get_outputs(), expected)):
            tensor = numpy_helper.from_array(numpy.asarray(value), result.name)
            write(os.path.join(data_set, f"output_{i}.pb"), tensor.SerializeToString())
        self.count += 1


def float_products(w):
    a, b = w.normal(2, 3, 4), w.normal(2, 4, 5)
    w.case("fused_matmul", "FusedMatMul", [a, b], alpha=0.5)
    w.case("fused_matmul_vector", "FusedMatMul", [w.normal(4), b], alpha=2.0, transA=1)
    w.case("fused_matmul_transposed", "FusedMatMul", [w.normal(2, 4, 3), w.normal(5, 4)], transA=1, transB=1)
    w.case("fused_matmul_batch_a", "FusedMatMul", [w.normal(3, 2, 4), b], transBatchA=1)
    w.case("fused_matmul_batch_all", "FusedMatMul", [w.normal(4, 2, 6, 3), w.normal(5, 2, 6, 4)],
           transBatchA=1, transA=1, transBatchB=1, transB=1)  # fmt: skip
    w.case("fused_matmul_double", "FusedMatMul", [a.astype(float), b.astype(float)], [float], alpha=0.25)
    a, b, c = w.normal(4, 3), w.normal(5, 4), w.normal(5)
    for activation, parameters in {
        "Relu": {},
        "LeakyRelu": {"activation_alpha": 0.2},
        "Tanh": {},
        "Sigmoid": {},
        "HardSigmoid": {"activation_alpha": 0.3, "activation_beta": 0.4},
        "Elu": {"activation_alpha": 0.7},
        "Softplus": {},
        "Softsign": {},
        "ThresholdedRelu": {"activation_alpha": 0.5},
        "ScaledTanh": {"activation_alpha": 1.5, "activation_beta": 0.5},
        "Selu": {"activation_alpha": 1.6, "activation_gamma": 1.1},
    }.items():
        w.case(f"fused_gemm_{activation}", "FusedGemm", [a, b, c], transA=1, transB=1, alpha=0.5, beta=2.0,
               activation=activation, **parameters)  # fmt: skip
    x, weight, bias = w.normal(1, 4, 6, 5), w.normal(6, 2, 3, 3), w.normal(6)
    shared = {"group": 2, "pads": [1, 0, 1, 2], "strides": [2, 1], "kernel_shape": [3, 3]}
    w.case("fused_conv_relu", "FusedConv", [x, weight, bias], activation="Relu", **shared)
    w.case("fused_conv_tanh", "FusedConv", [x, weight], activation="Tanh", **shared)
    w.case("fused_conv_leaky", "FusedConv", [x, weight, bias], activation="LeakyRelu", activation_params=[0.3], **shared)
    w.case("fused_conv_clip", "FusedConv", [x, weight, bias], activation="Clip", activation_params=[-0.5, 1.5], **shared)
    w.case("fused_conv_hard_sigmoid", "FusedConv", [x, weight, bias], activation="HardSigmoid",
           activation_params=[0.25, 0.4], **shared)  # fmt: skip
    w.case("fused_conv_sum", "FusedConv", [x, weight, bias, w.normal(1, 6, 3, 5)], activation="Relu", **shared)


def activations(w):
    x = 3 * w.normal(2, 3, 8)
    w.case("gelu", "Gelu", [x])
    w.case("bias_gelu", "BiasGelu", [x, w.normal(8)])
    w.case("fast_gelu", "FastGelu", [x])
    w.case("fast_gelu_bias", "FastGelu", [x, w.normal(8)])
    w.case("quick_gelu", "QuickGelu", [x])
    w.case("quick_gelu_alpha", "QuickGelu", [x], alpha=0.7)


def norms(w):
    f = numpy.float32
    x, skip, gamma, beta, bias = w.normal(2, 3, 8), w.normal(2, 3, 8), w.normal(8), w.normal(8), w.normal(8)
    w.case("skip_layer_norm", "SkipLayerNormalization", [x, skip, gamma, beta, bias], [f, None, None, f], epsilon=1e-5)
    w.case("skip_layer_norm_bare", "SkipLayerNormalization", [x, skip, gamma])
    w.case("skip_layer_norm_one_skip", "SkipLayerNormalization", [x, skip[:1], gamma, beta])
    w.case("skip_layer_norm_flat_skip", "SkipLayerNormalization", [x, skip[0], gamma, beta, bias])
    w.case("skip_layer_norm_rows", "SkipLayerNormalization", [x[0], skip[0], gamma, beta])
    w.case("skip_simplified_norm", "SkipSimplifiedLayerNormalization", [x, skip, gamma], epsilon=1e-6)
    w.case("skip_simplified_norm_bias", "SkipSimplifiedLayerNormalization", [x, skip, gamma, bias], [f, None, None, f])
    half = [v.astype(numpy.float16) for v in (x, skip, gamma, beta, bias)]
    w.case("skip_layer_norm_half", "SkipLayerNormalization", half, [numpy.float16], tol=(5e-3, 5e-3))
    w.case("simplified_norm", "SimplifiedLayerNormalization", [x, gamma], [f, f], domain="")
    w.case("simplified_norm_axis", "SimplifiedLayerNormalization", [x, w.normal(3, 8)], domain="", axis=1, epsilon=0.01)

    ids = w.random.integers(0, 20, (2, 5), numpy.int32)
    segments = w.random.integers(0, 2, (2, 5), numpy.int32)
    words, positions, kinds = w.normal(20, 8), w.normal(7, 8), w.normal(2, 8)
    mask = numpy.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], numpy.int32)
    i = numpy.int32
    w.case("embed_norm", "EmbedLayerNormalization", [ids, segments, words, positions, kinds, gamma, beta, mask], [f, i])
    w.case("embed_norm_no_segments", "EmbedLayerNormalization", [ids, None, words, positions, None, gamma, beta], [f, i],
           epsilon=1e-4)  # fmt: skip
    at = numpy.array([[6, 1, 2, 0, 3], [1, 1, 2, 4, 5]], numpy.int32)
    w.case("embed_norm_positions", "EmbedLayerNormalization",
           [ids, segments, words, positions, kinds, gamma, beta, None, at], [f, None, f])  # fmt: skip
    w.case("embed_norm_one_row", "EmbedLayerNormalization",
           [ids, segments, words, positions, kinds, gamma, beta, mask, at[:1]], [f, i, f])  # fmt: skip


def few_bits(w):
    for bits in (2, 4, 8):
        for k, block in ((64, 32), (50, 16), (33, 64)):
            n, blocks = 7, -(-k // block)
            a, scales = w.normal(2, 3, k), w.scales(n, blocks)
            b = w.integers(numpy.uint8, n, blocks, block * bits // 8)
            packed = w.integers(numpy.uint8, n, -(-blocks * bits // 8))
            floats = w.random.uniform(0, 2**bits, (n, blocks)).astype(numpy.float32)
            shared = {"K": k, "N": n, "bits": bits, "block_size": block, "tol": (1e-4, 1e-4)}
            name = f"matmul_{bits}_bits_{k}_{block}"
            w.case(name, "MatMulNBits", [a, b, scales], constants=(1, 2), **shared)
            w.case(f"{name}_zeros", "MatMulNBits", [a, b, scales, packed], constants=(1, 2, 3), **shared)
            w.case(f"{name}_fed", "MatMulNBits", [a, b, scales, packed], **shared)
            if bits == 4:  # the only width that ONNX Runtime has this form for
                w.case(f"{name}_float_zeros", "MatMulNBits", [a, b, scales, floats], **shared)
            if bits != 2:
                w.case(f"{name}_bias", "MatMulNBits", [a, b, scales, packed, None, w.normal(n)],
                       constants=(1, 2, 3, 5), **shared)  # fmt: skip
    groups = w.random.integers(0, 2, 64, numpy.int32)
    w.case("matmul_4_bits_groups", "MatMulNBits", [w.normal(3, 64), w.integers(numpy.uint8, 5, 2, 16), w.scales(5, 2), None, groups],
           K=64, N=5, bits=4, block_size=32, tol=(1e-4, 1e-4))  # fmt: skip
    half = numpy.float16
    w.case("matmul_4_bits_half", "MatMulNBits",
           [w.normal(3, 64, dtype=half), w.integers(numpy.uint8, 5, 2, 16), w.scales(5, 2).astype(half)],
           [half], K=64, N=5, bits=4, block_size=32, tol=(5e-3, 5e-3))  # fmt: skip


def integer_products(w):
    for a_type in (numpy.uint8, numpy.int8):
        for b_type in (numpy.uint8, numpy.int8):
            if a_type == numpy.int8 and b_type == numpy.uint8:
                continue  # ONNX Runtime has no kernel for it
            name = f"{numpy.dtype(a_type)}_{numpy.dtype(b_type)}"
            a, b = w.integers(a_type, 2, 3, 8), w.weights(b_type, 8, 5)
            a_zero, b_zero, bias = w.integers(a_type), w.integers(b_type), w.normal(5)
            scale = numpy.float32(0.03)
            w.case(f"integer_to_float_{name}", "MatMulIntegerToFloat", [a, b, scale, numpy.float32(0.02)])
            w.case(f"integer_to_float_columns_{name}", "MatMulIntegerToFloat",
                   [a, b, scale, w.scales(5), a_zero, w.integers(b_type, 5), bias])  # fmt: skip
            for output in (None, a_type):
                ends = [] if output is None else [numpy.float32(2.5), w.integers(output)]
                kind = numpy.float32 if output is None else output
                addend = w.random.integers(-1000, 1000, 5, numpy.int32)
                w.case(f"qgemm_{name}_{numpy.dtype(kind)}", "QGemm",
                       [a[0], scale, a_zero, b, numpy.float32(0.5), b_zero, addend, *ends], [kind], alpha=0.5)  # fmt: skip
                w.case(f"qgemm_columns_{name}_{numpy.dtype(kind)}", "QGemm",
                       [a[0].T.copy(), scale, a_zero, b.T.copy(), w.scales(5), w.integers(b_type, 5), None, *ends],
                       [kind], transA=1, transB=1)  # fmt: skip
    for b_type in (numpy.uint8, numpy.int8):
        name = str(numpy.dtype(b_type))
        x, b = w.normal(2, 3, 8), w.weights(b_type, 8, 5)
        w.case(f"dynamic_matmul_{name}", "DynamicQuantizeMatMul", [x, b, numpy.float32(0.02)], constants=(1, 2))
        w.case(f"dynamic_matmul_columns_{name}", "DynamicQuantizeMatMul",
               [x, b, w.scales(5), w.integers(b_type, 5), w.normal(5)], constants=(1, 2, 3))  # fmt: skip
        w.case(f"dynamic_matmul_positive_{name}", "DynamicQuantizeMatMul", [abs(x) + 1, b, numpy.float32(0.02)])
    w.case("dynamic_matmul_zeros", "DynamicQuantizeMatMul", [numpy.zeros_like(x), b, numpy.float32(0.02)])


def elementwise(w):
    s = numpy.float32
    for kind in (numpy.uint8, numpy.int8):
        name = str(numpy.dtype(kind))
        a, b = w.integers(kind, 3, 1, 8), w.integers(kind, 2, 8)
        zeros = w.integers(kind, 3)
        w.case(f"qlinear_add_{name}", "QLinearAdd", [a, s(0.03), zeros[0], b, s(0.05), zeros[1], s(0.041), zeros[2]], [kind])
        w.case(f"qlinear_mul_{name}", "QLinearMul", [a, s(0.03), zeros[0], b, s(0.05), zeros[1], s(0.11), zeros[2]], [kind])
        w.case(f"qlinear_sigmoid_{name}", "QLinearSigmoid", [a, s(0.03), zeros[0], s(1 / 256), zeros[2]], [kind], constants=(1, 2, 3, 4))
        w.case(f"quantize_{name}", "QuantizeLinear", [w.normal(3, 8), s(0.03), zeros[0]], [kind])
        w.case(f"quantize_axis_{name}", "QuantizeLinear", [w.normal(3, 8), w.scales(3), zeros], [kind], axis=0)
        w.case(f"dequantize_{name}", "DequantizeLinear", [a, s(0.03), zeros[0]])
        w.case(f"dequantize_axis_{name}", "DequantizeLinear", [w.integers(kind, 4, 3), w.scales(3), zeros], axis=1)
    w.case("dequantize_int32", "DequantizeLinear", [w.random.integers(-9000, 9000, (3, 4), numpy.int32), s(0.03)])
    w.case("quantize_uint16", "QuantizeLinear", [w.normal(3, 8), s(0.0001), numpy.uint16(30000)], [numpy.uint16])


def lstms(w):
    i8, u8 = numpy.int8, numpy.uint8
    f = numpy.float32
    steps, size, hidden = 4, 6, 8
    for directions, direction in ((1, "forward"), (1, "reverse"), (2, "bidirectional")):
        for kind in (i8, u8):
            def weights(rows, columns=None):
                q = w.weights(kind, directions, rows, 4 * hidden)
                each = (directions,) if columns is None else (directions, 4 * hidden)
                zeros = numpy.zeros(each, kind) if kind == i8 else numpy.full(each, 128, kind)
                return q, w.random.uniform(0.002, 0.006, each).astype(f), zeros

            for columns in (None, True):
                q, q_scale, q_zero = weights(size, columns)
                r, r_scale, r_zero = weights(hidden, columns)
                name = f"dynamic_lstm_{direction}_{numpy.dtype(kind)}" + ("_columns" if columns else "")
                x = w.normal(steps, 1, size)
                bias = w.normal(directions, 8 * hidden)
                state = [w.normal(directions, 1, hidden), w.normal(directions, 1, hidden)]
                w.case(name, "DynamicQuantizeLSTM",
                       [x, q, r, bias, None, *state, None, q_scale, q_zero, r_scale, r_zero],
                       [f, f, f], constants=(1, 2, 8, 9, 10, 11), hidden_size=hidden, direction=direction)  # fmt: skip
    q, q_scale, q_zero = w.weights(i8, 1, size, 4 * hidden), f([0.005]), i8([0])
    r, r_scale, r_zero = w.weights(i8, 1, hidden, 4 * hidden), f([0.004]), i8([0])
    w.case("dynamic_lstm_batch", "DynamicQuantizeLSTM",
           [w.normal(steps, 3, size), q, r, None, numpy.array([4, 2, 3], numpy.int32), None, None, w.normal(1, 3 * hidden),
            q_scale, q_zero, r_scale, r_zero],
           [f, f, f], constants=(1, 2, 8, 9, 10, 11), hidden_size=hidden)  # fmt: skip


def main():
    w = Writer(sys.argv[1])
    for lay_out in (float_products, activations, norms, few_bits, integer_products, elementwise, lstms, microsoft_attention.cases):
        lay_out(w)
    print(w.count)


if __name__ == "__main__":
    main()
