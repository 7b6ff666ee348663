"""The attention operators among the cases of microsoft_cases.py."""

import numpy

F = numpy.float32
I = numpy.int32  # noqa: E741


def cases(w):
    attention(w)
    multi_head(w)
    group_query(w)
    rotary(w)


def attention(w):
    batch, length, size, heads, hidden = 2, 5, 6, 2, 8
    x, weights, bias = w.normal(batch, length, size), w.normal(size, 3 * hidden), w.normal(3 * hidden)
    right, both = numpy.array([3, 5], I), numpy.array([3, 5, 1, 0], I)
    seen = numpy.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]], I)
    square = (w.random.random((batch, length, length)) < 0.7).astype(I)
    shared = {"num_heads": heads}
    w.case("attention", "Attention", [x, weights, bias], **shared)
    w.case("attention_no_bias", "Attention", [x, weights, None], scale=0.3, **shared)
    w.case("attention_unidirectional", "Attention", [x, weights, bias], unidirectional=1, **shared)
    for name, mask in {"right": right, "both": both, "seen": seen, "square": square}.items():
        w.case(f"attention_mask_{name}", "Attention", [x, weights, bias, mask], **shared)
        w.case(f"attention_mask_{name}_unidirectional", "Attention", [x, weights, bias, mask], unidirectional=1,
               mask_filter_value=-50.0, **shared)  # fmt: skip
    w.case("attention_nothing_seen", "Attention", [x, weights, bias, 0 * seen], **shared)
    w.case("attention_added", "Attention", [x, weights, bias, seen, None, w.normal(batch, heads, length, length)], **shared)
    w.case("attention_added_to_all", "Attention", [x, weights, bias, None, None, w.normal(1, 1, length, length)], **shared)
    w.case("attention_sizes", "Attention", [x, w.normal(size, 2 * hidden + 12), w.normal(2 * hidden + 12)],
           qkv_hidden_sizes=[hidden, hidden, 12], **shared)  # fmt: skip
    past = w.normal(2, batch, heads, 3, hidden // heads)
    longer = numpy.concatenate([numpy.ones((batch, 3), I), seen], axis=1)
    for direction in (0, 1):
        w.case(f"attention_past_{direction}", "Attention", [x, weights, bias, longer, past], [F, F],
               unidirectional=direction, **shared)  # fmt: skip
    w.case("attention_present", "Attention", [x, weights, bias], [F, F], unidirectional=1, **shared)


def multi_head(w):
    batch, length, keys, heads, hidden, wide = 2, 4, 5, 2, 8, 12
    q, k, v = w.normal(batch, length, hidden), w.normal(batch, keys, hidden), w.normal(batch, keys, wide)
    bias = w.normal(2 * hidden + wide)
    shared = {"num_heads": heads}
    seen = numpy.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]], I)
    square = (w.random.random((batch, length, keys)) < 0.7).astype(I)
    w.case("multihead", "MultiHeadAttention", [q, k, v], **shared)
    w.case("multihead_bias", "MultiHeadAttention", [q, k, v, bias], scale=0.4, **shared)
    w.case("multihead_lengths", "MultiHeadAttention", [q, k, v, None, numpy.array([2, 5], I)], **shared)
    w.case("multihead_seen", "MultiHeadAttention", [q, k, v, None, seen], mask_filter_value=-30.0, **shared)
    w.case("multihead_square", "MultiHeadAttention", [q, k, v, bias, square], **shared)
    w.case("multihead_added", "MultiHeadAttention", [q, k, v, None, None, w.normal(1, heads, length, keys)], **shared)
    w.case("multihead_added_each", "MultiHeadAttention", [q, k, v, None, seen, w.normal(batch, 1, length, keys)], **shared)
    w.case("multihead_scores", "MultiHeadAttention", [q, k, v, bias, seen], [F, None, None, F], **shared)
    w.case("multihead_present", "MultiHeadAttention", [q, k, v, bias], [F, F, F], **shared)
    w.case("multihead_unidirectional", "MultiHeadAttention", [q, k[:, :length], v[:, :length]], unidirectional=1, **shared)
    k4, v4 = w.normal(batch, heads, keys, hidden // heads), w.normal(batch, heads, keys, hidden // heads)
    w.case("multihead_cross", "MultiHeadAttention", [q, k4, v4, w.normal(3 * hidden)], **shared)
    v = w.normal(batch, keys, hidden)
    past = [w.normal(batch, heads, 3, hidden // heads), w.normal(batch, heads, 3, hidden // heads)]
    w.case("multihead_past", "MultiHeadAttention", [q, k, v, None, None, None, *past], [F, F, F], **shared)
    w.case("multihead_past_unidirectional", "MultiHeadAttention",
           [q, k[:, :length], v[:, :length], None, None, None, *past], [F, F, F], unidirectional=1, **shared)  # fmt: skip


def group_query(w):
    heads, kv_heads, size, most = 4, 2, 32, 20
    angles = w.random.uniform(0, 6, (most, size // 2))
    tables = [numpy.cos(angles).astype(F), numpy.sin(angles).astype(F)]
    part = [table[:, : size // 4].copy() for table in tables]
    shared = {"num_heads": heads, "kv_num_heads": kv_heads}

    def operands(batch, length, past=None):
        state = [None, None] if past is None else [w.normal(batch, kv_heads, past, size) for _ in range(2)]
        return [w.normal(batch, length, heads * size), *(w.normal(batch, length, kv_heads * size) for _ in range(2)), *state]

    def lengths(total, *each):
        return [numpy.array(each, I) - 1, numpy.array(total, I)]

    outputs = [F, F, F]
    prompt = [*operands(2, 6), *lengths(6, 6, 6)]
    w.case("group_prompt", "GroupQueryAttention", prompt, outputs, **shared)
    w.case("group_prompt_scale", "GroupQueryAttention", prompt, outputs, scale=0.1, **shared)
    w.case("group_prompt_softcap", "GroupQueryAttention", prompt, outputs, softcap=2.0, **shared)
    w.case("group_prompt_window", "GroupQueryAttention", prompt, outputs, local_window_size=3, **shared)
    w.case("group_prompt_smooth", "GroupQueryAttention", prompt, outputs, smooth_softmax=1, **shared)
    w.case("group_prompt_sink", "GroupQueryAttention", [*prompt, None, None, None, None, w.normal(heads)], outputs, **shared)
    w.case("group_prompt_added", "GroupQueryAttention", [*prompt, None, None, None, w.normal(2, heads, 6, 6)], outputs, **shared)
    w.case("group_prompt_added_softcap", "GroupQueryAttention", [*prompt, None, None, None, w.normal(1, 1, 6, 6)], outputs,
           softcap=3.0, **shared)  # fmt: skip
    w.case("group_prompt_rotary", "GroupQueryAttention", [*prompt, *tables], outputs, do_rotary=1, **shared)
    w.case("group_prompt_rotary_part", "GroupQueryAttention", [*prompt, *part], outputs, do_rotary=1, rotary_interleaved=1, **shared)
    w.case("group_prompt_both_ways", "GroupQueryAttention", prompt, outputs, causal=0, **shared)
    for show in (1, 2):
        w.case(f"group_prompt_shown_{show}", "GroupQueryAttention", prompt, [F, F, F, F], qk_output=show, **shared)
    packed = w.normal(2, 6, (heads + 2 * kv_heads) * size)
    w.case("group_packed", "GroupQueryAttention", [packed, None, None, None, None, *lengths(6, 6, 6), *tables], outputs,
           do_rotary=1, **shared)  # fmt: skip
    step = [*operands(2, 1, 7), *lengths(8, 8, 8)]
    w.case("group_step", "GroupQueryAttention", step, outputs, **shared)
    w.case("group_step_rotary", "GroupQueryAttention", [*step, *tables], outputs, do_rotary=1, **shared)
    w.case("group_step_window", "GroupQueryAttention", [*step, *tables], outputs, do_rotary=1, local_window_size=4, **shared)
    w.case("group_step_positions", "GroupQueryAttention", [*step, *tables, numpy.array([[7], [5]], numpy.int64)], outputs,
           do_rotary=1, **shared)  # fmt: skip
    w.case("group_step_ragged", "GroupQueryAttention", [*operands(2, 1, 7), *lengths(8, 8, 5), *tables], outputs, do_rotary=1, **shared)
    w.case("group_step_room", "GroupQueryAttention", [*operands(1, 1, 12), *lengths(8, 8), *tables], outputs, do_rotary=1, **shared)
    w.case("group_chunk", "GroupQueryAttention", [*operands(1, 3, 7), *lengths(10, 10), *tables], outputs, do_rotary=1, **shared)
    w.case("group_chunk_lengths", "GroupQueryAttention",
           [*operands(2, 3, 9), *lengths(12, 12, 12), *tables, *[None] * 7, numpy.array([3, 3], I)],
           outputs, do_rotary=1, **shared)  # fmt: skip
    w.case("group_step_added", "GroupQueryAttention", [*step, None, None, None, w.normal(2, 1, 1, 8)], outputs, **shared)
    w.case("group_prompt_positions", "GroupQueryAttention", [*prompt, *tables, numpy.array([[3, 4, 5, 6, 7, 8]] * 2, numpy.int64)],
           outputs, do_rotary=1, **shared)  # fmt: skip
    w.case("group_prompt_ragged", "GroupQueryAttention", [*operands(2, 6), *lengths(6, 6, 4)], [F, None, None], **shared)
    half = [v.astype(numpy.float16) if v is not None and v.dtype == F else v for v in step]
    w.case("group_step_half", "GroupQueryAttention", half, [numpy.float16] * 3, tol=(5e-3, 5e-3), **shared)


def rotary(w):
    angles = w.random.uniform(0, 6, (9, 4))
    tables = [numpy.cos(angles).astype(F), numpy.sin(angles).astype(F)]
    first, each = numpy.array([3], numpy.int64), numpy.array([[0, 5, 2], [8, 1, 1]], numpy.int64)
    flat, split = w.normal(2, 3, 24), w.normal(2, 3, 3, 8)
    for interleaved in (0, 1):
        w.case(f"rotary_{interleaved}", "RotaryEmbedding", [flat, each, *tables], interleaved=interleaved)
        w.case(f"rotary_first_{interleaved}", "RotaryEmbedding", [flat, first, *tables], interleaved=interleaved)
        w.case(f"rotary_split_{interleaved}", "RotaryEmbedding", [split, each, *tables], interleaved=interleaved)
        w.case(f"rotary_part_{interleaved}", "RotaryEmbedding", [w.normal(2, 3, 36), each, *tables],
               interleaved=interleaved, num_heads=3, rotary_embedding_dim=8)  # fmt: skip
