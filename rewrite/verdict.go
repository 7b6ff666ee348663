package rewrite

import (
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// Verdict is what one runtime does with the form that stands for a weight.
type Verdict struct {
	Runtime string  // one of Runtimes
	Outcome Outcome // what becomes of the int8 weight
	Reason  string  // why, in a few words
	Change  string  // the one option that would give a better outcome, or empty
}

// String is the verdict in one line.
func (v Verdict) String() string {
	line := string(v.Outcome) + ": " + v.Reason
	if v.Change != "" {
		line += " (" + v.Change + " changes it)"
	}
	return line
}

// Outcome is what becomes of an int8 weight in a runtime.
type Outcome string

// The outcomes.
const (
	// Fused means that one kernel reads the int8 weight and multiplies by it.
	Fused Outcome = "fused"
	// Dequantized means that floats are made of the weight each time it is used.
	Dequantized Outcome = "dequantized at each run"
	// Folded means that floats are made of it once, when the model is loaded:
	// fast and exact, and no memory is saved.
	Folded Outcome = "folded to float"
	// Wrong means that the runtime computes something else.
	Wrong Outcome = "wrong result"
	// Refused means that the runtime does not load the model.
	Refused Outcome = "not loaded"
)

// The runtimes, by the names that Verdict.Runtime has. Where versions differ,
// ort is ONNX Runtime on the CPU from 1.25 on, ort<1.25 what came before.
const (
	runtimeORT      = "ort"
	runtimeOldORT   = "ort<1.25"
	runtimeOpenVINO = "openvino"
	runtimeTensorRT = "tensorrt"
	runtimeTract    = "tract"
)

// Runtimes lists the runtimes that verdicts are given for, in their order.
func Runtimes() []string {
	return []string{runtimeORT, runtimeOldORT, runtimeOpenVINO, runtimeTensorRT, runtimeTract}
}

// condition is a line of a runtime's table.
type condition struct {
	holds   func(*facts) bool
	outcome Outcome
	reason  string
	change  string
}

// verdictsOn gives each runtime's verdict. Layers of which the same is known share
// one list, which nobody writes to.
func (l *look) verdictsOn(f *facts) []Verdict {
	verdicts, ok := l.verdicts[*f]
	if !ok {
		verdicts = verdictsOn(f)
		l.verdicts[*f] = verdicts
	}
	return verdicts
}

// verdictsOn gives each runtime's verdict: the first condition that holds.
func verdictsOn(f *facts) []Verdict {
	var verdicts []Verdict
	for _, name := range Runtimes() {
		for _, c := range conditions[name] {
			if c.holds(f) {
				if c.change == targetORT && !f.packable {
					c.change = targetFold
				}
				if c.change == targetFold && f.result == onnx.Float16 && strings.HasPrefix(name, runtimeORT) {
					c.change = "" // which does not fold products of float16
				}
				verdicts = append(verdicts, Verdict{Runtime: name, Outcome: c.outcome, Reason: c.reason, Change: c.change})
				break
			}
		}
	}
	return verdicts
}

// emission is what one match added to the graph, and which sites it is.
type emission struct {
	at    At
	nodes []*onnx.Node
	sites int // how many of the result's
}

// judge fills in the verdicts of the sites from the graph that was emitted. A
// site whose reader a later pass has made unrecognizable has none.
func (r *Result) judge(index *onnx.Index, emissions []emission) {
	readers := findReaders(index, emissions)
	look := newLook(index)
	next := 0
	for _, e := range emissions {
		sites := r.Sites[next : next+e.sites]
		next += e.sites
		var found []*facts
		for _, node := range e.nodes {
			if p, ok := readers[node]; ok {
				found = append(found, look.weights(p, e.at.Node)...)
			}
		}
		if len(found) != len(sites) {
			continue
		}
		for i, f := range found {
			sites[i].Verdicts = look.verdictsOn(f)
		}
	}
}

// findReaders finds where nodes that were emitted stand in the new graph: those
// that a pass over the whole graph has copied by their names, if only one has it.
func findReaders(index *onnx.Index, emissions []emission) map[*onnx.Node]place {
	total := 0
	for _, e := range emissions {
		total += len(e.nodes)
	}
	found := make(map[*onnx.Node]place, total)
	for _, e := range emissions {
		for _, node := range e.nodes {
			found[node] = place{}
		}
	}
	left := len(found)
	for _, scope := range index.Scopes() {
		for _, node := range scope.Nodes() {
			if p, ok := found[node]; ok {
				if p.node == nil {
					left--
				}
				found[node] = place{scope: scope, node: node}
			}
		}
	}
	if left == 0 {
		return found
	}
	type named struct{ name, op string }
	byName := map[named][]place{}
	for _, scope := range index.Scopes() {
		for _, node := range scope.Nodes() {
			key := named{nodeName(node), node.OpType}
			byName[key] = append(byName[key], place{scope: scope, node: node})
		}
	}
	for node, p := range found {
		if p.node != nil {
			continue
		}
		if same := byName[named{nodeName(node), node.OpType}]; len(same) == 1 {
			found[node] = same[0]
		} else {
			delete(found, node)
		}
	}
	return found
}

// kind is the shape of the nodes that write the form.
func (f form) kind() kind {
	if f.linear {
		return linearKind
	}
	return multipliedKind
}

// intent is a weight's form as a match plans it, one for each of its sites.
type intent struct {
	kind  kind
	w     *weight
	form  form
	input int // of the node that the match is about
}

// judge fills in the verdicts of a plan's sites. What only the weights
// could tell, such as tables that turn out to be equal, is not known yet.
func (p *Plan) judge() {
	type value struct {
		scope *onnx.Scope
		w     *weight
		form  form
	}
	readers := map[value]int{}
	for _, found := range p.matches {
		for _, one := range found.match.intents {
			readers[value{found.at.Scope, one.w, one.form}]++
		}
	}
	look := newLook(p.index)
	next := 0
	for _, found := range p.matches {
		sites := p.Sites[next : next+len(found.sites)]
		next += len(sites)
		if len(found.match.intents) != len(sites) {
			continue
		}
		for i, one := range found.match.intents {
			f := &facts{
				kind: one.kind, blocked: one.w.block > 0 || one.form.linear && one.form.batched, perChannel: one.w.perChannel(), asymmetric: one.w.scheme.Asymmetric,
				scale: one.form.scale, result: one.form.result, rank: len(one.w.dims), single: oneNumber(one.w.dims),
				fixed:   one.kind == lookupKind && fixed(found.at.Scope, found.at.Node.Input(1), 8),
				readers: readers[value{found.at.Scope, one.w, one.form}],
				outer:   found.at.Scope.Parent != nil && one.w.home != found.at.Scope,
			}
			look.reader(f, place{scope: found.at.Scope, node: found.at.Node}, one.input)
			f.transB = false // whatever the model has, the weight is stored to be read without
			sites[i].Verdicts = look.verdictsOn(f)
		}
	}
}
