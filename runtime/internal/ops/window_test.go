package ops

import (
	"slices"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

func TestSlide(t *testing.T) {
	for _, test := range []struct {
		name                  string
		a                     windowAttributes
		input, kernel         []int
		output, before, after []int
		err                   string
	}{
		{name: "defaults", input: []int{5}, kernel: []int{3}, output: []int{3}, before: []int{0}, after: []int{0}},
		{name: "strides and padding", a: windowAttributes{strides: []int{2, 3}, pads: []int{1, 0, 2, 1}}, input: []int{5, 7}, kernel: []int{3, 2},
			output: []int{3, 3}, before: []int{1, 0}, after: []int{2, 1}},
		{name: "dilations", a: windowAttributes{dilations: []int{3}}, input: []int{8}, kernel: []int{3}, output: []int{2}, before: []int{0}, after: []int{0}},
		{name: "floor", a: windowAttributes{strides: []int{2}}, input: []int{6}, kernel: []int{3}, output: []int{2}, before: []int{0}, after: []int{0}},
		{name: "ceil", a: windowAttributes{strides: []int{2}, ceil: true}, input: []int{6}, kernel: []int{3}, output: []int{3}, before: []int{0}, after: []int{0}},
		{name: "ceil drops a window behind the input", a: windowAttributes{strides: []int{2}, pads: []int{0, 1}, ceil: true}, input: []int{2}, kernel: []int{1},
			output: []int{1}, before: []int{0}, after: []int{1}},
		{name: "same upper", a: windowAttributes{autoPad: "SAME_UPPER", strides: []int{2}}, input: []int{6}, kernel: []int{3}, output: []int{3}, before: []int{0}, after: []int{1}},
		{name: "same lower", a: windowAttributes{autoPad: "SAME_LOWER", strides: []int{2}}, input: []int{6}, kernel: []int{3}, output: []int{3}, before: []int{1}, after: []int{0}},
		{name: "same with wide strides", a: windowAttributes{autoPad: "SAME_LOWER", strides: []int{4}}, input: []int{6}, kernel: []int{1}, output: []int{2}, before: []int{0}, after: []int{0}},
		{name: "valid ignores pads", a: windowAttributes{autoPad: "VALID", pads: []int{9, 9}}, input: []int{4}, kernel: []int{3}, output: []int{2}, before: []int{0}, after: []int{0}},
		{name: "cropping", a: windowAttributes{pads: []int{-1, -1}}, input: []int{5}, kernel: []int{2}, output: []int{2}, before: []int{-1}, after: []int{-1}},
		{name: "too wide", input: []int{2}, kernel: []int{3}, err: "does not fit"},
		{name: "no stride", a: windowAttributes{strides: []int{0}}, input: []int{2}, kernel: []int{1}, err: "strides"},
		{name: "no kernel", input: []int{2}, kernel: []int{0}, err: "kernel"},
		{name: "half the pads", a: windowAttributes{pads: []int{1}}, input: []int{2}, kernel: []int{1}, err: "a beginning and an end"},
		{name: "another rank", a: windowAttributes{strides: []int{1, 1}}, input: []int{2}, kernel: []int{1}, err: "1 spatial axes"},
		{name: "dilation out of range", a: windowAttributes{dilations: []int{1 << 30}}, input: []int{2}, kernel: []int{9}, err: "wider than"},
		{name: "padding out of range", a: windowAttributes{pads: []int{1 << 40, 0}}, input: []int{2}, kernel: []int{1}, err: "out of range"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.a.autoPad == "" {
				test.a.autoPad = "NOTSET"
			}
			w, err := test.a.slide(test.input, test.kernel)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got the error %v, want one that says %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(w.output, test.output) || !slices.Equal(w.before, test.before) || !slices.Equal(w.after, test.after) {
				t.Errorf("got output %v, padding %v and %v, want %v, %v and %v", w.output, w.before, w.after, test.output, test.before, test.after)
			}
		})
	}
}

func TestUnknownAutoPad(t *testing.T) {
	runNodeTests(t, []nodeTest{{op: "MaxPool", opset: 12, attrs: []*onnx.Attr{onnx.StringAttr("auto_pad", "SAME")}, in: values(counting(1, 1, 1)), err: "want NOTSET"}})
}

func TestTooManyLines(t *testing.T) {
	w := slidingWindow{input: []int{1 << 30, 0, 1}, output: []int{1 << 30, 0, 1}, kernel: []int{1, 1, 1}, strides: []int{1, 1, 1}, dilations: []int{1, 1, 1}}
	if _, err := w.rows(); err == nil {
		t.Error("a table of 2³⁰ lines was made for an output without elements")
	}
}
