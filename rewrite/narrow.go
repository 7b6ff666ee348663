package rewrite

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

// storedAs is a tensor of the same name and dims with values rounded to a
// 16-bit type.
func storedAs(like *onnx.Tensor, values []float32, dtype onnx.DType) *onnx.Tensor {
	data := make(onnx.Bytes, 0, 2*len(values))
	for _, v := range values {
		bits := uint16(quantops.Float16FromFloat32(v))
		if dtype == onnx.BFloat16 {
			bits = uint16(quantops.BFloat16FromFloat32(v))
		}
		data = binary.LittleEndian.AppendUint16(data, bits)
	}
	return onnx.NewTensor(like.Name, dtype, like.Dims, data)
}

// roundedTo is a float constant in 16 bit. A value that rounds to an infinity
// which it was not before is a reason to leave the layer alone.
func roundedTo(t *onnx.Tensor, dtype onnx.DType) (*onnx.Tensor, error) {
	values, err := t.Float32s()
	if err != nil {
		return nil, err
	}
	narrow := floatTypes[dtype]
	for i, v := range values {
		if r := narrow.Round(v); r-r != 0 && v-v == 0 {
			return nil, &Skip{Reason: fmt.Sprintf("its bias %q holds %g at %d, beyond %g, the largest that %v holds", t.Name, v, i, largest(dtype), dtype)}
		}
	}
	return storedAs(t, values, dtype), nil
}

// largest is the largest finite value of a 16-bit type.
func largest(dtype onnx.DType) float64 {
	if dtype == onnx.Float16 {
		return 65504
	}
	return float64(math.Float32frombits(0x7f7f0000))
}
