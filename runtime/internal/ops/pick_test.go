package ops

import (
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestPickSharesWhatLiesTogether is about which boxes of a tensor are copied.
func TestPickSharesWhatLiesTogether(t *testing.T) {
	data := make([]float32, 4*6*8)
	for i := range data {
		data[i] = float32(i)
	}
	whole := tensor.New([]int{4, 6, 8}, data)
	from, to := whole.Span()
	dense := rowMajor(whole.Shape())
	for _, test := range []struct {
		name   string
		start  []int
		shape  []int
		shared bool
	}{
		{"everything", []int{0, 0, 0}, []int{4, 6, 8}, true},
		{"rows", []int{1, 0, 0}, []int{2, 6, 8}, true},
		{"one row", []int{3, 0, 0}, []int{1, 6, 8}, true},
		{"part of a row, too small", []int{3, 2, 0}, []int{1, 3, 8}, false},
		{"columns", []int{0, 0, 2}, []int{4, 6, 4}, false},
		{"the middle", []int{0, 1, 0}, []int{4, 5, 8}, false},
		{"nothing", []int{0, 0, 0}, []int{0, 6, 8}, false},
	} {
		box := pick(&Call{Context: t.Context()}, whole, dense.at(test.start), test.shape)
		at, _ := box.Span()
		if shared := at >= from && at < to; shared != test.shared {
			t.Errorf("%s: shared is %v, want %v", test.name, shared, test.shared)
		}
		got, _ := tensor.Data[float32](box)
		for i, v := range got {
			row, column, plane := i/test.shape[2]%test.shape[1], i%test.shape[2], i/test.shape[2]/test.shape[1]
			if want := float32(((plane+test.start[0])*6+row+test.start[1])*8 + column + test.start[2]); v != want {
				t.Errorf("%s: element %d is %v, want %v", test.name, i, v, want)
				break
			}
		}
	}
}
