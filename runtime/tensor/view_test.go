package tensor

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// A view of floats has the elements of a copy wherever they begin, and shares
// the payload's bytes.
func TestViewOfFloats(t *testing.T) {
	for offset := range 4 {
		bytes := make([]byte, offset+8)
		stored := onnx.NewTensor("w", onnx.Float, []int64{2}, onnx.Bytes(bytes[offset:]))
		view, err := ViewOfONNX(stored)
		if err != nil {
			t.Fatal(err)
		}
		copied, err := FromONNX(stored)
		if err != nil {
			t.Fatal(err)
		}
		bytes[offset+7], bytes[offset+6] = 0x40, 0x40 // 3, of which the view knows if it is one
		got, _ := Data[float32](view)
		if before, _ := Data[float32](copied); before[1] != 0 || got[0] != 0 || got[1] != 3 {
			t.Errorf("at offset %d the view has %v", offset, got)
		}
	}
}
