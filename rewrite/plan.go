package rewrite

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// Plan is what rules found in a model. Making it reads no weights and changes
// nothing; it stays good as long as the model is open.
type Plan struct {
	Model *onnx.Model
	Sites []Site // in the order of Scopes and nodes
	Skips []Skip
	// Remaining lists, for a recipe, the operators that it does not take and whose
	// weights it could, largest first. RemainingBytes is what all float weights
	// take that it leaves, whoever reads them: constants of rank 2 and more.
	Remaining      []Remaining
	RemainingBytes int64
	// Threads is how many goroutines Apply reads weights with; 0: one for each core.
	Threads int
	// Late has Apply read no weights where nothing in the new graph depends on
	// what they hold: they are measured while the new model is written, which
	// reads the original only once. A weight that cannot be quantized is an error
	// of writing then, and Sites are complete after Result.Complete.
	Late bool

	quantizer *quantizer // nil: other rules made the plan

	index   *onnx.Index
	matches []located
	// readElsewhere has the tensors that other operators, which could take them,
	// read as floats.
	readElsewhere map[*onnx.Tensor]bool
	// after, if not nil, is what remains to be done to the whole graph once the
	// matches are replaced.
	after func(*onnx.Model) (*onnx.Model, []Skip, error)
}

// located is a match and where it was found.
type located struct {
	at       At
	match    *Match
	replaces []*onnx.Node
	sites    []Site
}

// Result is a plan carried out.
type Result struct {
	// Model is the new model. It shares the bytes of the plan's, which has to
	// stay open for as long as the new one is used; int8 weights are promises
	// that are computed while it is written or read.
	Model *onnx.Model
	Sites []Site
	// Skips are the plan's, and those whose reason only the weights could tell.
	Skips []Skip

	late []lateNote
}

// Complete measures the weights that Plan.Late left for later, if writing the
// model has not done so, and adds what was found to Sites.
func (r *Result) Complete() error {
	for _, note := range r.late {
		w := note.weight
		if w.twin != nil {
			w = w.twin.weight
		}
		found := w.finding()
		if found.err != nil {
			return fmt.Errorf("rewrite: %w", w.explained(found.err))
		}
		r.Sites[note.site].noteSubstituted(found)
	}
	r.late = nil
	return nil
}

// Find asks rules at every node of a model. The first that answers with a match
// or a skip is heard; a node that an earlier match replaces is not asked about.
func Find(m *onnx.Model, rules ...Rule) (*Plan, error) {
	index, err := onnx.NewIndex(m)
	if err != nil {
		return nil, fmt.Errorf("rewrite: %w", err)
	}
	return find(m, index, rules...), nil
}

func find(m *onnx.Model, index *onnx.Index, rules ...Rule) *Plan {
	plan := &Plan{Model: m, index: index}
	for _, scope := range index.Scopes() {
		taken := map[*onnx.Node]bool{}
		for _, node := range scope.Nodes() {
			if taken[node] {
				continue
			}
			at := At{Index: index, Scope: scope, Node: node}
			match, skip, rule := ask(rules, at)
			if match != nil {
				found := located{at: at, match: match, replaces: match.Replaces, sites: match.Sites}
				if len(found.replaces) == 0 {
					found.replaces = []*onnx.Node{node}
				}
				if reason := whole(scope, found.replaces, taken); reason != "" {
					skip = &Skip{Reason: reason}
				} else {
					plan.add(found, rule, taken)
				}
			}
			if skip != nil {
				plan.Skips = append(plan.Skips, Skip{nodeName(node), opName(node), skip.Reason})
			}
		}
	}
	return plan
}

// add takes a match into the plan.
func (p *Plan) add(found located, rule string, taken map[*onnx.Node]bool) {
	for _, replaced := range found.replaces {
		taken[replaced] = true
	}
	if len(found.sites) == 0 {
		found.sites = []Site{{}}
	}
	for i := range found.sites {
		site := &found.sites[i]
		site.Node, site.Op, site.Rule = nodeName(found.at.Node), opName(found.at.Node), rule
	}
	p.Sites = append(p.Sites, found.sites...)
	p.matches = append(p.matches, found)
}

// ask returns the answer of the first rule that has one.
func ask(rules []Rule, at At) (*Match, *Skip, string) {
	for _, rule := range rules {
		if match, skip := rule.Match(at); match != nil || skip != nil {
			return match, skip, rule.Name()
		}
	}
	return nil, nil, ""
}

// whole says what keeps nodes from being replaced together, or nothing.
func whole(scope *onnx.Scope, replaces []*onnx.Node, taken map[*onnx.Node]bool) string {
	for _, node := range replaces {
		if taken[node] {
			return "another replacement has taken " + nodeName(node)
		}
		for _, output := range node.Outputs {
			if output != "" && scope.Producer(output) != node {
				return "node " + nodeName(node) + " is not in the scope that is being rewritten"
			}
		}
	}
	return ""
}

// Apply carries the plan out on a new model; the plan's own is not changed. A
// second Apply gives an equal model.
func (p *Plan) Apply(ctx context.Context) (*Result, error) {
	var result *Result
	err := p.Model.Guard(func() (err error) { result, err = p.apply(ctx); return err })
	return result, err
}

func (p *Plan) apply(ctx context.Context) (*Result, error) {
	if q := p.quantizer; q != nil {
		q.late = p.Late && q.undecided()
	}
	for _, found := range p.matches {
		for _, one := range found.match.intents {
			one.w.restart()
		}
	}
	if err := p.prepare(ctx); err != nil {
		return nil, err
	}
	edit := newEdit(p.Model, p.index)
	result := &Result{Skips: append([]Skip(nil), p.Skips...)}
	var emissions []emission
	for _, found := range p.matches {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		builder := edit.builder(found)
		node, op := nodeName(found.at.Node), opName(found.at.Node)
		err := found.match.Build(builder)
		if err == nil {
			err = builder.commit()
		}
		var skip *Skip
		switch {
		case errors.As(err, &skip):
			result.Skips = append(result.Skips, Skip{node, op, skip.Reason})
		case err != nil:
			return nil, fmt.Errorf("rewrite: %s %q: %w", op, node, err)
		default:
			for _, note := range builder.late {
				result.late = append(result.late, lateNote{len(result.Sites) + note.site, note.weight})
			}
			result.Sites = append(result.Sites, builder.Sites...)
			emissions = append(emissions, emission{found.at, builder.nodes, len(builder.Sites)})
			for _, reason := range builder.refused {
				result.Skips = append(result.Skips, Skip{node, op, reason})
			}
		}
	}
	result.Model = p.Model
	if len(result.Sites) > 0 {
		result.Model = edit.model()
	}
	if p.after != nil {
		model, skips, err := p.after(result.Model)
		if err != nil {
			return nil, fmt.Errorf("rewrite: %w", err)
		}
		result.Model, result.Skips = model, append(result.Skips, skips...)
	}
	if result.Model == p.Model {
		return result, nil
	}
	index, err := onnx.NewIndex(result.Model)
	if err != nil {
		return nil, fmt.Errorf("rewrite: %w", err)
	}
	if _, err := index.Check(); err != nil {
		if _, before := p.index.Check(); before == nil {
			return nil, fmt.Errorf("rewrite: the rewritten model is not valid, and nothing was written: %w", err)
		}
	}
	result.judge(index, emissions)
	return result, nil
}

// prepare does the matches' long work, on several goroutines: a match that lets
// them share its work has all of them, the others one each.
func (p *Plan) prepare(ctx context.Context) error {
	threads := p.Threads
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	group, ctx := errgroup.WithContext(ctx)
	claimed := make([]atomic.Bool, len(p.matches))
	for range threads {
		group.Go(func() error {
			return p.Model.Guard(func() error {
				for i, found := range p.matches {
					if found.match.Prepare == nil || claimed[i].Swap(true) && !found.match.joined {
						continue
					}
					if err := ctx.Err(); err != nil {
						return err
					}
					err := found.match.Prepare(ctx)
					var skip *Skip
					if err != nil && !errors.As(err, &skip) { // a skip is Build's to say, in the order of the graph
						return fmt.Errorf("rewrite: %s %q: %w", opName(found.at.Node), nodeName(found.at.Node), err)
					}
				}
				return nil
			})
		})
	}
	return group.Wait()
}
