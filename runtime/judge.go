package runtime

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// siteJudge watches the original run and judges each rewritten layer on the
// activations that it sees there. It keeps no activation longer than it must.
type siteJudge struct {
	original, rewritten *inlined
	sites               []*site
	begins, ends        map[*onnx.Node]*site // by the layer's first and last node
	wanted              map[string]bool      // names whose values the layers are fed with
	values              map[string]tensor.Value
	threads             int
	room                int // bytes of weights that sites' sessions may still keep
	limits              limitRoom
}

// keptWeights is how many bytes of weights the sites' sessions may hold together
// for the next feeds, or the next round of a loop. A session beyond it is
// compiled anew each time, as all of them together hold a whole model in float32.
const keptWeights = 512 << 20

// site is a layer that is computed differently in the rewritten model.
type site struct {
	layer
	cone    *cone
	session *Session // of the cone; nil: not compiled
	kept    bool     // session stays for the next time
	steps   *weightSteps
	note    string // why it cannot be judged, or why it failed

	operands []tensor.Value // of the layer's node, until the last node has run
	runs     int
	diff     difference
	of       float64 // the largest error as a part of its bound
	failed   bool
	k, n     int
}

// newJudge finds the sites.
func newJudge(original, rewritten *inlined, threads int) (*siteJudge, error) {
	j := &siteJudge{
		original: original, rewritten: rewritten, threads: threads, room: keptWeights,
		begins: map[*onnx.Node]*site{}, ends: map[*onnx.Node]*site{},
		wanted: map[string]bool{}, values: map[string]tensor.Value{},
	}
	f := newConeFinder(original, rewritten)
	// A layer that reads a neighbour's result tells by what name the rewritten
	// model knows it, so the readers come first.
	for _, scope := range slices.Backward(original.index.Scopes()) {
		counterpart := f.counterpart(scope)
		if counterpart == nil {
			continue
		}
		for _, n := range slices.Backward(scope.Nodes()) {
			l, ok := f.layerAt(scope, n)
			if !ok {
				continue
			}
			if s := f.site(l, counterpart); s != nil {
				j.sites = append(j.sites, s)
			}
		}
	}
	slices.Reverse(j.sites)
	for _, s := range j.sites {
		j.begins[s.node] = s
		j.ends[s.last()] = s
		if s.cone == nil {
			continue
		}
		for _, in := range s.cone.inputs {
			j.wanted[in.source] = true
		}
	}
	return j, nil
}

// see is told of every step of the original.
func (j *siteJudge) see(ctx context.Context, n *onnx.Node, in, out []tensor.Value) {
	for i, name := range n.Inputs {
		if j.wanted[name] {
			j.values[name] = in[i]
		}
	}
	for i, name := range n.Outputs {
		if j.wanted[name] && i < len(out) {
			j.values[name] = out[i]
		}
	}
	if s := j.begins[n]; s != nil {
		s.operands = in
	}
	s := j.ends[n]
	if s == nil || s.operands == nil {
		return
	}
	s.runs++
	if s.cone != nil {
		if err := j.try(ctx, s, in, out); err != nil && ctx.Err() == nil {
			s.failed, s.note = s.linear, err.Error()
		}
	}
	s.operands = nil
}

// try runs a site's part of the rewritten graph and holds its result to the
// original's. in and out are those of the layer's last node.
func (j *siteJudge) try(ctx context.Context, s *site, in, out []tensor.Value) error {
	if s.session == nil {
		if err := j.prepare(s); err != nil {
			return err
		}
	}
	feeds := map[string]tensor.Value{}
	for _, input := range s.cone.inputs {
		v := j.values[input.source]
		if t, ok := v.(*tensor.Tensor); ok && input.as != onnx.Undefined && t.DType() != input.as {
			wide, err := t.Float64s()
			if err != nil {
				return err
			}
			rounded, err := tensor.FromFloat64s(input.as, t.Shape(), wide)
			if err != nil {
				return err
			}
			v = rounded
		}
		feeds[input.name] = v
	}
	results, err := s.session.Run(ctx, feeds)
	if err != nil {
		return err
	}
	err = j.hold(ctx, s, results[s.cone.output], in, out)
	j.release(s)
	return err
}

// release lets go of a site's session if there is no room to keep it.
func (j *siteJudge) release(s *site) {
	if s.kept {
		return
	}
	size := 0
	if w, ok := s.operands[s.weight].(*tensor.Tensor); ok {
		size = 2 * 4 * w.Len() // as floats, and packed
	}
	if s.kept = size <= j.room; s.kept {
		j.room -= size
		return
	}
	s.session, s.steps = nil, nil
}

// prepare compiles a site's part of the rewritten graph, once.
func (j *siteJudge) prepare(s *site) error {
	part, err := s.cone.model(j.rewritten)
	if err != nil {
		return err
	}
	if s.session, err = compile(part, Options{Threads: j.threads}, judged{literal: true}); err != nil {
		return err
	}
	if !s.cone.bounded {
		return nil
	}
	s.steps, err = readSteps(j.rewritten, s.cone, j.threads)
	return err
}

// hold compares a site's result with the original's, and its error with the bound.
func (j *siteJudge) hold(ctx context.Context, s *site, got tensor.Value, in, out []tensor.Value) error {
	want, ok := out[0].(*tensor.Tensor)
	result, isTensor := got.(*tensor.Tensor)
	if !ok || !isTensor || !slices.Equal(result.Shape(), want.Shape()) {
		return errShape(got, out[0])
	}
	a, err := result.Float64s()
	if err != nil {
		return err
	}
	b, err := want.Float64s()
	if err != nil {
		return err
	}
	row := 0
	if rank := want.Rank(); rank > 0 {
		row = want.Shape()[rank-1]
	}
	s.diff.add(a, b, row)
	if w, ok := s.operands[s.weight].(*tensor.Tensor); ok && s.linear {
		l, err := layoutOf(s.node, s.weight, w.Shape())
		if err != nil {
			return err
		}
		s.k, s.n = l.k, l.n
	}
	if !s.cone.bounded {
		return nil
	}
	limits, err := s.bound(ctx, j.threads, &j.limits, in, want, b)
	if err != nil {
		return err
	}
	for i, limit := range limits {
		if part := ofBound(a[i], b[i], limit); part > s.of {
			s.of = part
			if part > 1 {
				s.failed = true
				s.note = noteOf(want.Shape(), i, a[i], b[i], limit)
			}
		}
	}
	return nil
}

// ofBound is an error as a part of what is proven; a bound that is not finite,
// as an infinite activation gives, proves nothing.
func ofBound(got, want, limit float64) float64 {
	switch {
	case got == want || math.IsNaN(got) && math.IsNaN(want) || math.IsNaN(limit) || math.IsInf(limit, 0):
		return 0
	case math.IsNaN(got) || math.IsNaN(want) || math.IsInf(got, 0) || math.IsInf(want, 0):
		return math.Inf(1)
	}
	return math.Abs(got-want) / limit
}

// reports gives what was found, in the order of the original's scopes and nodes.
func (j *siteJudge) reports() []SiteReport {
	var list []SiteReport
	for _, s := range j.sites {
		r := SiteReport{
			Node: s.node.Name, Output: s.last().Outputs[0], Op: s.node.OpType, K: s.k, N: s.n,
			MaxAbs: s.diff.largest, RelL2: s.diff.relL2(), SQNR: s.diff.sqnr(), OfBound: math.NaN(), Note: s.note,
		}
		if r.Node == "" {
			r.Node = r.Output
		}
		switch {
		case s.runs == 0:
			r.Note = "it did not run on these inputs"
			r.MaxAbs, r.RelL2, r.SQNR = math.NaN(), math.NaN(), math.NaN()
		case s.cone == nil:
			r.MaxAbs, r.RelL2, r.SQNR = math.NaN(), math.NaN(), math.NaN()
		case s.failed || s.cone.bounded:
			held := !s.failed
			r.BoundHeld = &held
			if s.cone.bounded {
				r.OfBound = s.of
			}
		}
		list = append(list, r)
	}
	return list
}

func errShape(got, want tensor.Value) error {
	return fmt.Errorf("it gives %s, the original %s", describe(got), describe(want))
}

func noteOf(shape []int, at int, got, want, limit float64) string {
	return fmt.Sprintf("element %v is %v, the original's %v: off by %.3g, but %.3g is proven",
		coordinate(shape, at), got, want, math.Abs(got-want), limit)
}
