package onnx

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCast(t *testing.T) {
	inf := math.Inf(1)
	tests := []struct {
		from DType
		in   any // []float64 or []int64
		to   DType
		want any
	}{
		{Float, []float64{1.9, -1.9, 300, -300, math.NaN()}, Int8, []int64{1, -1, 127, -128, 0}},
		{Float, []float64{1.9, -1.9, 300}, Uint8, []int64{1, 0, 255}},
		{Double, []float64{1e300, -1e300, 1e300}, Int64, []int64{math.MaxInt64, math.MinInt64, math.MaxInt64}},
		{Int32, []int64{257, -1, 128}, Int8, []int64{1, -1, -128}},
		{Int32, []int64{-1}, Uint16, []int64{65535}},
		{Int64, []int64{0, 5, -1}, Bool, []int64{0, 1, 1}},
		{Float, []float64{0, math.Copysign(0, -1), 0.25, math.NaN()}, Bool, []int64{0, 0, 1, 1}},
		{Bool, []int64{0, 1}, Float, []float64{0, 1}},
		{Int64, []int64{16777217, 16777219}, Float, []float64{16777216, 16777220}},
		{Uint64, []int64{math.MaxInt64}, Float, []float64{1 << 63}},
		{Double, []float64{2049, 2051, 65519, 65520, 1e-8, 6e-8}, Float16, []float64{2048, 2052, 65504, inf, 0, 1.0 / (1 << 24)}},
		// In one step: by way of float32 this would be a tie, and go the other way.
		{Double, []float64{1 + 1.0/2048 + 1e-12}, Float16, []float64{1 + 1.0/1024}},
		{Double, []float64{257, 259, -inf, 3.4e38}, BFloat16, []float64{256, 260, -inf, inf}},
		{Float16, []float64{0.5, -inf, 65504}, Double, []float64{0.5, -inf, 65504}},
	}
	for _, test := range tests {
		var raw Bytes
		var n int
		switch in := test.in.(type) {
		case []float64:
			n = len(in)
			for _, v := range in {
				switch test.from {
				case Float:
					raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(v)))
				case Double:
					raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
				case Float16:
					raw = binary.LittleEndian.AppendUint16(raw, narrow(v, 5, 10))
				}
			}
		case []int64:
			n = len(in)
			for _, v := range in {
				raw = append(raw, binary.LittleEndian.AppendUint64(nil, uint64(v))[:test.from.Bits()/8]...)
			}
		}
		out := NewTensor("", test.to, []int64{int64(n)}, Bytes(castBytes(raw, test.from, test.to)))
		var got any
		var err error
		if _, ok := test.want.([]float64); ok {
			got, err = out.Float64s()
		} else {
			got, err = out.Int64s()
		}
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%v to %v of %v: %s", test.from, test.to, test.in, diff)
		}
	}
}

func TestTransposeOfPackedElements(t *testing.T) {
	for _, dtype := range []DType{Int4, Uint4, Int2, Uint2} {
		var packed Bytes = make([]byte, (6*dtype.Bits()+7)/8)
		for i := range 6 {
			packed[i*dtype.Bits()/8] |= byte(i&(1<<dtype.Bits()-1)) << (i * dtype.Bits() % 8)
		}
		w := NewTensor("w", dtype, []int64{2, 3}, packed)
		want, err := w.Int64s()
		if err != nil {
			t.Fatal(err)
		}
		want = []int64{want[0], want[3], want[1], want[4], want[2], want[5]}
		g := &Graph{Initializers: []*Tensor{w}, Nodes: []*Node{node("Transpose", "v", names("w"))}}
		got, err := mustIndex(t, graphModel(21, g)).Main().Constant("v").Tensor("v").Int64s()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v: %s", dtype, diff)
		}
	}
	// 6-bit elements straddle bytes: an 8-element matrix, transposed twice, is itself.
	w := Bytes{0x41, 0x92, 0xe3, 0x14, 0x25, 0x36}
	if diff := cmp.Diff([]byte(w), transposeBytes(transposeBytes(w, 6, []int64{2, 4}, []int{1, 0}), 6, []int64{4, 2}, []int{1, 0})); diff != "" {
		t.Error(diff)
	}
}
