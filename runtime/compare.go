package runtime

import (
	"context"
	"errors"
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// CompareOptions say how two models are compared.
type CompareOptions struct {
	// Feeds are the inputs that both models are run on, one after the other.
	Feeds []map[string]tensor.Value
	// Threads is as in Options.
	Threads int
	// Memory is as in Options, for each of the two models.
	Memory int64
	// MinSQNR is the least signal-to-noise ratio that every output must have,
	// in dB; 0: none.
	MinSQNR float64
	// Progress, if set, is told how much of the work is done.
	Progress func(done, total int64)
}

// Report says how far a rewritten model is from the original.
type Report struct {
	Outputs []OutputReport
	Sites   []SiteReport
	// BoundHeld says whether the proven bound held at every site that has one;
	// nil: none has.
	BoundHeld *bool
	// Within says that no output is NaN or infinite where the original's is not,
	// that every bound held, and that MinSQNR was reached.
	Within bool
	// Reasons say why it is not within; and of sites that could not be judged why not.
	Reasons []string
}

// OutputReport is how far one output is from the original's, over all feeds.
// Elements that are NaN, or the same infinity, in both are left out.
type OutputReport struct {
	Name string
	// MaxAbs is the largest difference, RelL2 the Euclidean norm of the
	// difference relative to that of the original, SQNR the same in dB (infinite:
	// equal), Cosine that of the angle between the two.
	MaxAbs, RelL2, SQNR, Cosine float64
	// ArgmaxAgreement is the part of the rows, along the last axis, whose largest
	// element is the same one; 1 for an output without rows.
	ArgmaxAgreement float64
	// Broken counts the elements that are NaN or infinite where the original's
	// are not.
	Broken int64
}

// SiteReport is how far one rewritten layer is from the original, when it is fed
// the original model's activations.
type SiteReport struct {
	Node   string // the original layer's name, or its output's where it has none
	Output string // the name that the layer's result has in the original
	Op     string
	K, N   int // how many products are summed, and how many channels come out
	// MaxAbs, RelL2 and SQNR are as in OutputReport.
	MaxAbs, RelL2, SQNR float64
	// OfBound is the largest error as a part of what is proven for that element;
	// NaN where there is no bound.
	OfBound   float64
	BoundHeld *bool  // nil: the site has no bound, or did not run
	Note      string // why there is no bound, or why it does not hold
}

// Compare runs a model and its rewritten form on the same inputs and says how
// far apart they are: at every output, and at every MatMul, Gemm and Conv with a
// constant weight that is computed differently. Such a site is found by
// comparing the two graphs, with no word from whoever rewrote; its part of the
// rewritten graph is run on the activations of the original and its error held
// to the bound that can be proven for it: see bound.
//
// Both models are in memory one after the other, activations only while they
// are needed.
func Compare(ctx context.Context, original, rewritten *onnx.Model, o CompareOptions) (*Report, error) {
	if len(o.Feeds) == 0 {
		return nil, errors.New("runtime: there are no inputs to compare the models on")
	}
	var r *Report
	err := original.Guard(func() error {
		return rewritten.Guard(func() (err error) { r, err = compare(ctx, original, rewritten, o); return err })
	})
	return r, err
}

func compare(ctx context.Context, original, rewritten *onnx.Model, o CompareOptions) (*Report, error) {
	before, err := inline(original)
	if err != nil {
		return nil, fmt.Errorf("the original: %w", err)
	}
	after, err := inline(rewritten)
	if err != nil {
		return nil, fmt.Errorf("the rewritten model: %w", err)
	}
	p := &progress{report: o.Progress, total: int64(len(o.Feeds) * (len(before.model.Graph.Nodes) + len(after.model.Graph.Nodes)))}
	j, err := newJudge(before, after, o.Threads)
	if err != nil {
		return nil, fmt.Errorf("the rewritten model: %w", err)
	}
	wants, err := runAll(ctx, before, o, judged{literal: true, view: true, trace: func(n *onnx.Node, in, out []tensor.Value) {
		p.step()
		j.see(ctx, n, in, out)
	}})
	if err != nil {
		return nil, fmt.Errorf("the original: %w", err)
	}
	r := &Report{Sites: j.reports()}
	j = nil // its layers are not needed any more
	gots, err := runAll(ctx, after, o, judged{view: true, trace: func(*onnx.Node, []tensor.Value, []tensor.Value) { p.step() }})
	if err != nil {
		return nil, fmt.Errorf("the rewritten model: %w", err)
	}
	var names []string
	for _, v := range original.Graph.Outputs {
		names = append(names, v.Name)
	}
	if r.Outputs, err = compareOutputs(names, gots, wants); err != nil {
		return nil, err
	}
	r.judge(o.MinSQNR)
	p.end()
	return r, nil
}

// runAll runs a model on all feeds.
func runAll(ctx context.Context, m *inlined, o CompareOptions, how judged) ([]map[string]tensor.Value, error) {
	session, err := compile(m, Options{Threads: o.Threads, Memory: o.Memory}, how)
	if err != nil {
		return nil, err
	}
	var results []map[string]tensor.Value
	for _, feeds := range o.Feeds {
		outputs, err := session.Run(ctx, feeds)
		if err != nil {
			return nil, err
		}
		results = append(results, outputs)
	}
	return results, nil
}

// judge works out the verdict from what was measured.
func (r *Report) judge(minSQNR float64) {
	r.Within = true
	fail := func(format string, args ...any) {
		r.Within = false
		r.Reasons = append(r.Reasons, fmt.Sprintf(format, args...))
	}
	for _, out := range r.Outputs {
		if out.Broken > 0 {
			fail("output %q has %d elements that are NaN or infinite where the original's are not", out.Name, out.Broken)
		}
		if minSQNR != 0 && !(out.SQNR >= minSQNR) {
			fail("output %q has a signal-to-noise ratio of %.1f dB, less than %.1f", out.Name, out.SQNR, minSQNR)
		}
	}
	for _, site := range r.Sites {
		if site.BoundHeld == nil {
			continue
		}
		if r.BoundHeld == nil {
			held := true
			r.BoundHeld = &held
		}
		if !*site.BoundHeld {
			*r.BoundHeld = false
			fail("layer %q is off by more than what is proven: %s", site.Node, site.Note)
		}
	}
}

// progress counts the nodes that have run.
type progress struct {
	report      func(done, total int64)
	done, total int64
}

func (p *progress) step() {
	if p.done++; p.report != nil {
		p.report(min(p.done, p.total), p.total) // bodies run more than once
	}
}

func (p *progress) end() {
	if p.report != nil {
		p.report(p.total, p.total)
	}
}
