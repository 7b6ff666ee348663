package rewrite

import "github.com/onnx-tinyq/onnx-tinyq/onnx"

// inOrder is a list of nodes in topological order: the list as it is if it is
// in order, else with each node moved no further than behind what it reads.
func inOrder(nodes []*onnx.Node) []*onnx.Node {
	producer := make(map[string]int, len(nodes))
	for i, node := range nodes {
		for _, output := range node.Outputs {
			if output != "" {
				producer[output] = i
			}
		}
	}
	ordered := true
	for i, node := range nodes {
		eachRead(node, func(name string) {
			if at, ok := producer[name]; ok && at > i {
				ordered = false
			}
		})
	}
	if ordered {
		return nodes
	}
	sorted := make([]*onnx.Node, 0, len(nodes))
	visited := make([]bool, len(nodes))
	var visit func(i int)
	visit = func(i int) {
		if visited[i] {
			return
		}
		visited[i] = true
		eachRead(nodes[i], func(name string) {
			if at, ok := producer[name]; ok {
				visit(at)
			}
		})
		sorted = append(sorted, nodes[i])
	}
	for i := range nodes {
		visit(i)
	}
	return sorted
}

// eachRead calls f with every name that a node or its bodies read.
func eachRead(node *onnx.Node, f func(name string)) {
	for _, name := range node.Inputs {
		if name != "" {
			f(name)
		}
	}
	for _, a := range node.Attrs {
		if a.G != nil {
			for _, inner := range a.G.Nodes {
				eachRead(inner, f)
			}
			for _, output := range a.G.Outputs {
				f(output.Name)
			}
		}
		for _, g := range a.Graphs {
			for _, inner := range g.Nodes {
				eachRead(inner, f)
			}
		}
	}
}
