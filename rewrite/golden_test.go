package rewrite

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file under testdata/golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (make it with go test -update)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}

// outline is a model in a form that shows what a rewrite decides: every name,
// node, attribute, type and shape, and no payloads.
func outline(m *onnx.Model) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ir %d, opsets %v\n", m.IRVersion, m.Opsets)
	outlineGraph(&b, m.Graph, "")
	for _, f := range m.Functions {
		fmt.Fprintf(&b, "function %s(%s) -> %s\n", f.Name, strings.Join(f.Inputs, ", "), strings.Join(f.Outputs, ", "))
		outlineNodes(&b, f.Nodes, "  ")
	}
	return b.String()
}

func outlineGraph(b *strings.Builder, g *onnx.Graph, indent string) {
	for _, v := range g.Inputs {
		fmt.Fprintf(b, "%sinput %s %s\n", indent, v.Name, v.Type.DType)
	}
	for _, t := range g.Initializers {
		fmt.Fprintf(b, "%sinitializer %s %v%v\n", indent, t.Name, t.Type, t.Dims)
	}
	outlineNodes(b, g.Nodes, indent)
	for _, v := range g.Outputs {
		fmt.Fprintf(b, "%soutput %s\n", indent, v.Name)
	}
}

func outlineNodes(b *strings.Builder, nodes []*onnx.Node, indent string) {
	for _, n := range nodes {
		fmt.Fprintf(b, "%s%s = %s(%s)", indent, strings.Join(n.Outputs, ", "), n.OpType, strings.Join(n.Inputs, ", "))
		var bodies []*onnx.Attr
		for _, a := range n.Attrs {
			switch a.Type {
			case onnx.AttrInt:
				if a.Name == "to" {
					fmt.Fprintf(b, " %s=%v", a.Name, onnx.DType(a.I))
				} else {
					fmt.Fprintf(b, " %s=%d", a.Name, a.I)
				}
			case onnx.AttrFloat:
				fmt.Fprintf(b, " %s=%g", a.Name, a.F)
			case onnx.AttrInts:
				fmt.Fprintf(b, " %s=%v", a.Name, a.Ints)
			case onnx.AttrTensor:
				fmt.Fprintf(b, " %s=%v%v", a.Name, a.T.Type, a.T.Dims)
			case onnx.AttrGraph:
				bodies = append(bodies, a)
			default:
				fmt.Fprintf(b, " %s=?", a.Name)
			}
		}
		fmt.Fprintln(b)
		for _, a := range bodies {
			fmt.Fprintf(b, "%s  %s:\n", indent, a.Name)
			outlineGraph(b, a.G, indent+"    ")
		}
	}
}
