package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

type inspectReport struct {
	Model     string           `json:"model"`
	Bytes     int64            `json:"bytes"` // external data included
	IRVersion int64            `json:"ir_version"`
	Producer  string           `json:"producer"`
	Opsets    []opsetReport    `json:"opsets"`
	Inputs    []portReport     `json:"inputs"`
	Outputs   []portReport     `json:"outputs"`
	Operators []operatorReport `json:"operators"`
	Functions int              `json:"functions"`
	Types     []typeReport     `json:"weight_types"`
	Weights   []weightReport   `json:"weights"` // the largest first
	Warnings  []string         `json:"warnings"`
}

type opsetReport struct {
	Domain  string `json:"domain"`
	Version int64  `json:"version"`
}

type portReport struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Default bool   `json:"default,omitempty"` // an initializer gives its value if the caller does not
}

type operatorReport struct {
	Op    string `json:"op"`
	Count int    `json:"count"`
}

type typeReport struct {
	Type  string `json:"type"`
	Count int    `json:"count"`
	Bytes int64  `json:"bytes"`
}

type weightReport struct {
	Name  string  `json:"name"`
	Type  string  `json:"type"`
	Dims  []int64 `json:"dims"`
	Bytes int64   `json:"bytes"`
}

// largest is how many weights the table for people lists.
const largest = 10

func (a *app) inspectCommand() *cobra.Command {
	asText := false
	command := &cobra.Command{
		Use:   "inspect MODEL",
		Short: "List inputs, outputs, opsets, operators, and weights by type and size",
		Args:  arguments("MODEL"),
		RunE: func(_ *cobra.Command, args []string) error {
			m, warnings, err := a.open(args[0])
			if err != nil {
				return err
			}
			defer m.Close()
			if asText {
				return onnx.Format(a.out, m)
			}
			report, err := inspect(m)
			if err != nil {
				return err
			}
			report.Warnings = append(report.Warnings, warnings...)
			return a.result(report, func() { a.printInspection(report) })
		},
	}
	command.Flags().BoolVar(&asText, "text", false, "print the whole graph as text")
	return command
}

func inspect(m *onnx.Model) (*inspectReport, error) {
	c, err := newCensus(m)
	if err != nil {
		return nil, err
	}
	size, err := bytesOf(m.Path(), m)
	if err != nil {
		return nil, err
	}
	r := &inspectReport{
		Model: m.Path(), Bytes: size, IRVersion: m.IRVersion, Producer: m.ProducerName,
		Opsets: []opsetReport{}, Inputs: []portReport{}, Outputs: []portReport{}, Operators: []operatorReport{},
		Functions: len(m.Functions), Types: []typeReport{}, Weights: []weightReport{}, Warnings: []string{},
	}
	if m.ProducerVersion != "" {
		r.Producer += " " + m.ProducerVersion
	}
	for _, opset := range m.Opsets {
		r.Opsets = append(r.Opsets, opsetReport(opset))
	}
	initialized := map[string]bool{}
	for _, t := range m.Graph.Initializers {
		initialized[t.Name] = true
	}
	for _, v := range m.Graph.Inputs {
		r.Inputs = append(r.Inputs, portReport{v.Name, typeText(v.Type), initialized[v.Name]})
	}
	for _, v := range m.Graph.Outputs {
		r.Outputs = append(r.Outputs, portReport{v.Name, typeText(v.Type), false})
	}
	for _, op := range slices.Sorted(maps.Keys(c.operators)) {
		r.Operators = append(r.Operators, operatorReport{op, c.operators[op]})
	}
	slices.SortStableFunc(r.Operators, func(a, b operatorReport) int { return cmp.Compare(b.Count, a.Count) })
	types := map[string]typeReport{}
	for _, w := range c.weights {
		name := w.tensor.Type.String()
		sum := types[name]
		types[name] = typeReport{name, sum.Count + 1, sum.Bytes + w.bytes}
		r.Weights = append(r.Weights, weightReport{w.name, name, append([]int64{}, w.tensor.Dims...), w.bytes})
	}
	for _, name := range slices.Sorted(maps.Keys(types)) {
		r.Types = append(r.Types, types[name])
	}
	slices.SortStableFunc(r.Types, func(a, b typeReport) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return r, nil
}

func (a *app) printInspection(r *inspectReport) {
	fmt.Fprintf(a.out, "%s: %s bytes, IR version %d, made by %s\n", r.Model, grouped(r.Bytes), r.IRVersion, cmp.Or(r.Producer, "an unnamed producer"))

	t := newTable("opset", "version")
	rightAlign(t, 2)
	for _, opset := range r.Opsets {
		t.AppendRow([]any{cmp.Or(opset.Domain, "ai.onnx"), opset.Version})
	}
	fmt.Fprintf(a.out, "\n%s", render(t))

	ports := func(title string, list []portReport) {
		t := newTable(title, "type", "")
		for _, port := range list {
			note := ""
			if port.Default {
				note = "has an initializer"
			}
			t.AppendRow([]any{port.Name, port.Type, note})
		}
		fmt.Fprintf(a.out, "\n%s", render(t))
	}
	ports("input", r.Inputs)
	ports("output", r.Outputs)

	t = newTable("operator", "nodes")
	rightAlign(t, 2)
	for _, op := range r.Operators {
		t.AppendRow([]any{op.Op, op.Count})
	}
	fmt.Fprintf(a.out, "\n%s", render(t))

	t = newTable("weights", "tensors", "bytes")
	rightAlign(t, 2, 3)
	for _, sum := range r.Types {
		t.AppendRow([]any{sum.Type, sum.Count, grouped(sum.Bytes)})
	}
	fmt.Fprintf(a.out, "\n%s", render(t))

	t = newTable("largest", "type", "shape", "bytes")
	rightAlign(t, 4)
	for _, w := range r.Weights[:min(largest, len(r.Weights))] {
		t.AppendRow([]any{shorten(w.Name, 48), w.Type, product(w.Dims), grouped(w.Bytes)})
	}
	fmt.Fprintf(a.out, "\n%s", render(t))
}

// open opens and checks a model and says what is odd about it.
func (a *app) open(path string) (m *onnx.Model, warnings []string, err error) {
	m, err = onnx.Open(path)
	if err != nil {
		return nil, nil, err
	}
	warnings, err = onnx.Check(m)
	if err != nil {
		m.Close()
		return nil, nil, fmt.Errorf("%s is not a valid model: %w", path, err)
	}
	for _, warning := range warnings {
		a.say("warning: %s", warning)
	}
	return m, warnings, nil
}
