package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/rewrite"
)

// optimized is the graph that ONNX Runtime made of a model when it loaded it.
type optimized struct {
	Refused string
	Nodes   []struct {
		Op              string
		Inputs, Outputs []string
	}
	Initializers map[string]string // their types
}

// TestVerdictsAreTrue compares the verdicts for ONNX Runtime with the graphs
// that it makes of every model in every form when it loads them.
func TestVerdictsAreTrue(t *testing.T) {
	cases := casesFolder(t)
	pool := startPythons(t, 2)
	folders := []string{}
	for _, name := range modelsIn(t, cases) {
		folders = append(folders, filepath.Join(cases, filepath.FromSlash(name)))
	}
	ours, err := filepath.Glob(filepath.Join("..", "..", "testdata", "models", "*"))
	if err != nil || len(ours) == 0 {
		t.Fatalf("no models of the project's own: %v", err)
	}
	seen := make(chan string, 1<<16)
	t.Run("models", func(t *testing.T) {
		for _, folder := range append(folders, ours...) {
			for _, recipe := range []rewrite.Recipe{
				{Activations: rewrite.W8A32, Target: rewrite.Portable},
				{Activations: rewrite.W8A32, Target: rewrite.Fold},
				{Activations: rewrite.W8A32, Target: rewrite.ORT},
				{Activations: rewrite.W8A16, Target: rewrite.Portable},
				{Activations: rewrite.W8A16, Target: rewrite.Fold},
				{Activations: rewrite.W8A16, Target: rewrite.ORT},
				{Activations: rewrite.W8A16, WholeGraph: true, Target: rewrite.Portable},
				{Activations: rewrite.W8A16, WholeGraph: true, Target: rewrite.Fold},
				{Activations: rewrite.W8A16, WholeGraph: true, Target: rewrite.ORT},
				{Activations: rewrite.W8A32, Target: rewrite.Portable, Granularity: rewrite.PerBlock, Block: 16, Asymmetric: true},
				{Activations: rewrite.W8A32, Target: rewrite.Fold, Granularity: rewrite.PerBlock, Block: 16, Asymmetric: true},
			} {
				recipe.Ops, recipe.SkipNonfinite = rewrite.Operators(), true
				name := fmt.Sprintf("%s/%s/%s-%s-%s-%t", filepath.Base(filepath.Dir(folder)), filepath.Base(folder), recipe.Activations, recipe.Target, recipe.Granularity, recipe.WholeGraph)
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					for _, outcome := range compareVerdicts(t, pool, filepath.Join(folder, "model.onnx"), recipe) {
						seen <- string(recipe.Target) + " " + outcome
					}
				})
			}
		}
	})
	close(seen)
	counts := map[string]int{}
	for outcome := range seen {
		counts[outcome]++
	}
	t.Logf("compared: %v", counts)
	for _, outcome := range []string{
		"portable fused", "portable dequantized at each run", "fold folded to float", "fold dequantized at each run", "ort fused",
	} {
		if counts[outcome] == 0 {
			t.Errorf("no site was %s: the comparison has nothing to say about it", outcome)
		}
	}
}

// compareVerdicts rewrites a model, and returns what became of each site in
// ONNX Runtime, which is what its verdict has to be.
func compareVerdicts(t *testing.T, pool pythons, model string, recipe rewrite.Recipe) []string {
	m, err := onnx.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	plan, err := rewrite.New(m, recipe)
	if err != nil {
		t.Fatal(err)
	}
	result, err := plan.Apply(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Sites) == 0 {
		return nil
	}
	folder := t.TempDir()
	output := filepath.Join(folder, "model.onnx")
	if err := onnx.WriteFile(output, result.Model, onnx.WriteOptions{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	var graph optimized
	pool.ask(t, map[string]any{"do": "optimize", "model": output, "into": folder}, &graph)

	parts := siteParts(t, result)
	var outcomes []string
	refused := ""
	for i, site := range result.Sites {
		verdict := verdictFor(site.Verdicts, "ort")
		if verdict == nil {
			t.Errorf("site %s has no verdict: %+v", site.Node, site.Verdicts)
			continue
		}
		outcomes = append(outcomes, string(verdict.Outcome))
		if verdict.Outcome == rewrite.Refused {
			refused = verdict.String()
			continue
		}
		if graph.Refused != "" {
			continue // another site may be the reason
		}
		if became := parts[i].became(&graph); became != verdict.Outcome {
			t.Errorf("%s %s: the verdict is %q, but it became %q (%+v)", site.Op, site.Node, verdict, became, parts[i])
		}
	}
	if (refused != "") != (graph.Refused != "") {
		t.Errorf("the verdict that it is not loaded is %q, and loading it says %q", refused, graph.Refused)
	}
	return outcomes
}

func verdictFor(verdicts []rewrite.Verdict, runtime string) *rewrite.Verdict {
	i := slices.IndexFunc(verdicts, func(v rewrite.Verdict) bool { return v.Runtime == runtime })
	if i < 0 {
		return nil
	}
	return &verdicts[i]
}

// weightParts are the names by which a quantized weight is known in the graph
// that was written.
type weightParts struct {
	integers, scale string
	floats          []string // every name on the way from there to the layer
}

// siteParts finds the parts of each site's weight in the written graph.
func siteParts(t *testing.T, result *rewrite.Result) []weightParts {
	t.Helper()
	index, err := onnx.NewIndex(result.Model)
	if err != nil {
		t.Fatal(err)
	}
	taken := map[string]int{}
	var all []weightParts
	for _, site := range result.Sites {
		var found []weightParts
		for _, scope := range index.Scopes() {
			for _, node := range scope.Nodes() {
				name := node.Name
				if name == "" {
					name = node.Outputs[0]
				}
				written := strings.TrimSuffix(strings.TrimSuffix(name, "_MatMulNBits"), "_quantized")
				if node.OpType == "MatMulNBits" && written == site.Node {
					found = append(found, weightParts{integers: node.Inputs[1], scale: node.Inputs[2]})
				}
				if opOf(node) != site.Op || written != site.Node && name != site.Node && !slices.Contains(node.Outputs, site.Node+"_float16") {
					continue
				}
				for _, input := range node.Inputs {
					if c := scope.Constant(input); c != nil && c.Type == onnx.Int8 && strings.HasPrefix(site.Op, "Gather") {
						found = append(found, weightParts{integers: input, scale: input, floats: []string{strings.TrimSuffix(node.Outputs[0], "_quantized")}})
					} else if parts := partsOf(scope, input); parts != nil {
						found = append(found, *parts)
					}
				}
			}
		}
		i := taken[site.Node]
		taken[site.Node]++
		if i >= len(found) {
			t.Fatalf("%s %s: its weight is not in the written graph", site.Op, site.Node)
		}
		all = append(all, found[i])
	}
	return all
}

func opOf(node *onnx.Node) string {
	if node.Domain == "" || node.Domain == "ai.onnx" {
		return node.OpType
	}
	return node.Domain + "." + node.OpType
}

// partsOf follows a value back to the constants of a quantized weight.
func partsOf(scope *onnx.Scope, name string) *weightParts {
	parts := weightParts{}
	for {
		node := scope.Producer(name)
		if node == nil {
			if c := scope.Constant(name); c != nil && c.Type == onnx.Int8 && len(parts.floats) > 0 {
				parts.integers = name
				return &parts
			}
			return nil
		}
		parts.floats = append(parts.floats, name)
		switch node.OpType {
		case "DequantizeLinear", "Mul":
			if scope.Constant(node.Inputs[1]) == nil {
				return nil
			}
			parts.scale = node.Inputs[1]
		case "Cast", "Sub", "Transpose", "Reshape":
		case "Constant":
			parts.integers = name
			if c := scope.Constant(name); c.Type == onnx.Int8 && len(parts.floats) > 1 {
				return &parts
			}
			return nil
		default:
			return nil
		}
		name = node.Inputs[0]
	}
}

// became says what the optimized graph has made of the weight.
func (p weightParts) became(graph *optimized) rewrite.Outcome {
	// Initializers that were cast have a prefix, those that were packed anew a suffix.
	cast := func(name, part string) bool { return name == part || strings.HasSuffix(name, "_"+part) }
	packed := func(name, part string) bool { return cast(name, part) || strings.Contains(name, part+"_T") }
	lookup := p.integers == p.scale
	for _, node := range graph.Nodes {
		if node.Op == "MatMulNBits" && !lookup && packed(node.Inputs[2], p.scale) {
			return rewrite.Fused
		}
	}
	for _, node := range graph.Nodes {
		if strings.HasPrefix(node.Op, "Gather") != lookup {
			continue // a table may be looked up too
		}
		for _, input := range node.Inputs {
			if cast(input, p.scale) || cast(input, p.integers) {
				return rewrite.Dequantized
			}
		}
	}
	if lookup {
		for initializer := range graph.Initializers {
			if cast(initializer, p.integers) {
				return "a table that nothing picks rows of"
			}
		}
		return rewrite.Folded // together with whatever else is computed of it alone
	}
	for _, name := range p.floats {
		for initializer, dtype := range graph.Initializers {
			if cast(initializer, name) && dtype != "INT8" {
				return rewrite.Folded
			}
		}
	}
	return "something unknown"
}
