package tensor

import (
	"unsafe"

	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

// Span is where in memory t's elements lie, from the first to behind the last:
// two tensors whose spans meet share elements. Without elements both are 0. As
// the addresses are mere numbers, they mean something only while t is in use.
func (t *Tensor) Span() (start, end uintptr) {
	switch data := t.data.(type) {
	case []float32:
		return span(data)
	case []int64:
		return span(data)
	case []float64:
		return span(data)
	case []int8:
		return span(data)
	case []int16:
		return span(data)
	case []int32:
		return span(data)
	case []uint8:
		return span(data)
	case []uint16:
		return span(data)
	case []uint32:
		return span(data)
	case []uint64:
		return span(data)
	case []bool:
		return span(data)
	case []string:
		return span(data)
	case []complex64:
		return span(data)
	case []complex128:
		return span(data)
	case []quantops.Float16:
		return span(data)
	case []quantops.BFloat16:
		return span(data)
	case []quantops.Float8E4M3FN:
		return span(data)
	case []quantops.Float8E4M3FNUZ:
		return span(data)
	case []quantops.Float8E5M2:
		return span(data)
	case []quantops.Float8E5M2FNUZ:
		return span(data)
	case []quantops.Float8E8M0:
		return span(data)
	case []quantops.Float4E2M1:
		return span(data)
	case []quantops.Float6E2M3:
		return span(data)
	case []quantops.Float6E3M2:
		return span(data)
	case []quantops.Int4:
		return span(data)
	case []quantops.Uint4:
		return span(data)
	case []quantops.Int2:
		return span(data)
	case []quantops.Uint2:
		return span(data)
	}
	return 0, 0
}

func span[T Element](data []T) (start, end uintptr) {
	if len(data) == 0 {
		return 0, 0
	}
	start = uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	return start, start + uintptr(len(data))*unsafe.Sizeof(data[0])
}
