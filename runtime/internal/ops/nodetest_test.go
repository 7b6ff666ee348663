package ops

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// nodeTest is one run of one node: what it must give, or what its error must say.
type nodeTest struct {
	name   string
	domain string // empty: the default one
	op     string
	opset  int
	attrs  []*onnx.Attr
	in     []tensor.Value // nil: left out
	want   []tensor.Value
	err    string
}

func runNodeTests(t *testing.T, tests []nodeTest) {
	t.Helper()
	for _, test := range tests {
		t.Run(strings.TrimSpace(fmt.Sprint(test.op, " ", test.opset, " ", test.name)), func(t *testing.T) {
			got, err := runNode(t, test)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got %s and the error %v, want one that says %q", show(got...), err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, want := show(got...), show(test.want...); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
	}
}

// runNode builds the node's kernel and runs it on two threads, and sees to it
// that the inputs stay as they were.
func runNode(t *testing.T, test nodeTest) ([]tensor.Value, error) {
	t.Helper()
	kernel, _ := Lookup(test.domain, test.op, test.opset)
	if kernel == nil {
		t.Fatalf("no kernel of %s at opset %d", test.op, test.opset)
	}
	node := &onnx.Node{OpType: test.op, Attrs: test.attrs, Outputs: slices.Repeat([]string{"result"}, max(1, len(test.want)))}
	for _, v := range test.in {
		name := "operand"
		if v == nil {
			name = ""
		}
		node.Inputs = append(node.Inputs, name)
	}
	run, err := kernel.Build(&Node{Node: node, Opset: test.opset, Constants: make([]tensor.Value, len(test.in))})
	if err != nil {
		return nil, err
	}
	before := show(test.in...)
	got, err := run(&Call{Context: t.Context(), Workers: workers(t, 2)}, test.in)
	if after := show(test.in...); after != before {
		t.Errorf("the inputs were %s and are %s", before, after)
	}
	return got, err
}

// show writes values out in full, types and shapes included.
func show(values ...tensor.Value) string {
	var all []string
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			all = append(all, "nothing")
		case *tensor.Tensor:
			all = append(all, fmt.Sprintf("%v%v%v", v.DType(), v.Shape(), reflect.ValueOf(v.Any())))
		case *tensor.Sequence:
			all = append(all, fmt.Sprintf("%v sequence{%s}", v.Elem, show(v.Values...)))
		case *tensor.Optional:
			all = append(all, fmt.Sprintf("optional{%s}", show(v.Value)))
		default:
			all = append(all, fmt.Sprintf("%T", v))
		}
	}
	return strings.Join(all, "; ")
}

// shaped and list keep tables of tests readable.
func shaped[T tensor.Element](shape []int, data ...T) *tensor.Tensor {
	return tensor.New(shape, append([]T{}, data...))
}

func list[T tensor.Element](data ...T) *tensor.Tensor { return shaped([]int{len(data)}, data...) }

// counting is 0, 1, 2, ... in a shape.
func counting(shape ...int) *tensor.Tensor {
	data := make([]float32, tensor.Count(shape))
	for i := range data {
		data[i] = float32(i)
	}
	return tensor.New(shape, data)
}
