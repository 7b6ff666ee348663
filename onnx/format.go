package onnx

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Format writes a model as text, much as ONNX's own text syntax has it: for
// people, and for tests that compare. Equal models give equal text. Elements
// are shown of tensors with up to 16 of them in the model's file, of others
// the size; doc strings, metadata, value_info and annotations are left out.
// No large payload is read.
func Format(w io.Writer, m *Model) error {
	p := &printer{w: bufio.NewWriter(w)}
	p.model(m)
	if p.tooDeep {
		return fmt.Errorf("onnx: graphs are nested more than %d deep, or one is inside itself", maxDepth)
	}
	return p.w.Flush()
}

// shownElements is how many elements a tensor may have to be shown in full.
const shownElements = 16

// printer writes text; its bufio.Writer keeps the first error.
type printer struct {
	w       *bufio.Writer
	indent  int
	depth   int
	tooDeep bool
}

func (p *printer) line(format string, args ...any) {
	p.w.WriteString(strings.Repeat("  ", p.indent))
	fmt.Fprintf(p.w, format, args...)
	p.w.WriteByte('\n')
}

func (p *printer) model(m *Model) {
	head := []string{fmt.Sprintf("ir_version: %d", m.IRVersion), "opset_import: " + opsetText(m.Opsets)}
	for _, text := range []Property{{"producer_name", m.ProducerName}, {"producer_version", m.ProducerVersion}, {"domain", m.Domain}} {
		if text.Value != "" {
			head = append(head, fmt.Sprintf("%s: %q", text.Key, text.Value))
		}
	}
	if m.ModelVersion != 0 {
		head = append(head, fmt.Sprintf("model_version: %d", m.ModelVersion))
	}
	p.line("<%s>", strings.Join(head, ", "))
	if m.Graph != nil {
		p.graph(m.Graph, "")
	}
	for _, f := range m.Functions {
		p.function(f)
	}
}

func opsetText(list []OpsetImport) string {
	var parts []string
	for _, o := range list {
		parts = append(parts, fmt.Sprintf("%q: %d", o.Domain, o.Version))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// graph writes a graph whose first line starts with a prefix.
func (p *printer) graph(g *Graph, prefix string) {
	if p.depth > maxDepth {
		p.tooDeep = true
	}
	if p.tooDeep {
		return
	}
	p.depth++
	p.line("%s%s (%s) => (%s)", prefix, nameText(g.Name), valuesText(g.Inputs), valuesText(g.Outputs))
	if len(g.Initializers)+len(g.SparseInitializers) > 0 {
		p.line("<")
		p.indent++
		for _, t := range g.Initializers {
			p.line("%s", tensorText(t))
		}
		for _, s := range g.SparseInitializers {
			p.line("%s", sparseText(s))
		}
		p.indent--
		p.line(">")
	}
	p.nodes(g.Nodes)
	p.depth--
}

func (p *printer) function(f *Function) {
	head := []string{fmt.Sprintf("domain: %q", f.Domain)}
	if f.Overload != "" {
		head = append(head, fmt.Sprintf("overload: %q", f.Overload))
	}
	head = append(head, "opset_import: "+opsetText(f.Opsets))
	p.line("<%s>", strings.Join(head, ", "))
	attributes := slices.Clone(f.Attributes)
	for _, a := range f.AttributeDefaults {
		text, _ := attrText(a)
		attributes = append(attributes, text)
	}
	if len(attributes) > 0 {
		p.line("%s <%s> (%s) => (%s)", nameText(f.Name), strings.Join(attributes, ", "), namesText(f.Inputs), namesText(f.Outputs))
	} else {
		p.line("%s (%s) => (%s)", nameText(f.Name), namesText(f.Inputs), namesText(f.Outputs))
	}
	p.nodes(f.Nodes)
}

func (p *printer) nodes(nodes []*Node) {
	p.line("{")
	p.indent++
	for _, n := range nodes {
		p.node(n)
	}
	p.indent--
	p.line("}")
}

func (p *printer) node(n *Node) {
	var text strings.Builder
	if n.Name != "" {
		fmt.Fprintf(&text, "[%s] ", nameText(n.Name))
	}
	fmt.Fprintf(&text, "%s = ", namesText(n.Outputs))
	if domain := canonicalDomain(n.Domain); domain != "" {
		fmt.Fprintf(&text, "%s.", nameText(domain))
	}
	text.WriteString(nameText(n.OpType))
	if n.Overload != "" {
		fmt.Fprintf(&text, ":%s", nameText(n.Overload))
	}
	var attributes []string
	type body struct {
		name  string
		graph *Graph
	}
	var bodies []body
	for _, a := range n.Attrs {
		attribute, graphs := attrText(a)
		if attribute != "" {
			attributes = append(attributes, attribute)
		}
		for i, g := range graphs {
			name := nameText(a.Name)
			if a.Type == AttrGraphs {
				name = fmt.Sprintf("%s[%d]", name, i)
			}
			bodies = append(bodies, body{name, g})
		}
	}
	if len(attributes) > 0 {
		fmt.Fprintf(&text, " <%s>", strings.Join(attributes, ", "))
	}
	fmt.Fprintf(&text, " (%s)", namesText(n.Inputs))
	p.line("%s", text.String())
	p.indent++
	for _, b := range bodies {
		p.graph(b.graph, b.name+" = ")
	}
	p.indent--
}

// nameText writes a name plainly where it cannot be mistaken, else quoted.
func nameText(name string) string {
	plain := name != "" && strings.IndexFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_./:+-@#$%~*", r))
	}) < 0
	if plain {
		return name
	}
	return strconv.Quote(name)
}

func namesText(list []string) string {
	parts := make([]string, len(list))
	for i, name := range list {
		parts[i] = nameText(name)
	}
	return strings.Join(parts, ", ")
}

func valuesText(list []*Value) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = v.Type.String() + " " + nameText(v.Name)
	}
	return strings.Join(parts, ", ")
}
