package rewrite

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// Also plans another recipe for the plan's model, for With to take forms from.
// It has to compute in the same scope: the recipe's WholeGraph is this plan's.
func (p *Plan) Also(recipe Recipe) (*Plan, error) { return newPlan(p.Model, p.index, recipe) }

// Groups lists the sites, by their place in Sites, that stand or fall together:
// those of one node, and those that read one stored tensor, of which nothing is
// saved as long as one of its readers has it as floats.
func (p *Plan) Groups() [][]int {
	var groups [][]int
	of := map[*onnx.Tensor]int{}
	for i, sites := range p.sitesOf() {
		at := len(groups)
		for _, one := range p.matches[i].match.intents {
			if known, ok := of[one.w.source]; ok {
				at = min(at, known)
			}
		}
		for _, one := range p.matches[i].match.intents {
			of[one.w.source] = at
		}
		if at == len(groups) {
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], sites...)
	}
	return groups
}

// sitesOf gives the places in Sites of each match's sites.
func (p *Plan) sitesOf() [][]int {
	sites := make([][]int, len(p.matches))
	next := 0
	for i, found := range p.matches {
		for range found.sites {
			sites[i] = append(sites[i], next)
			next++
		}
	}
	return sites
}

// Instead is another form for a site.
type Instead struct {
	Plan *Plan  // that has the form, made by Also
	Note string // for Site.Note: why it has this form
}

// With is the plan with some of its sites, given by their place in Sites, in
// other forms. A node that reads several weights takes the other form whole; one
// that the other plan leaves alone keeps its own. The plan itself is not changed.
func (p *Plan) With(forms map[int]Instead) *Plan {
	mixed := *p
	mixed.Sites, mixed.matches = nil, nil
	sites := p.sitesOf()
	for i, found := range p.matches {
		for _, site := range sites[i] {
			other := forms[site]
			if other.Plan == nil {
				continue
			}
			j := slices.IndexFunc(other.Plan.matches, func(l located) bool { return l.at.Node == p.matches[i].at.Node })
			if j < 0 || len(other.Plan.matches[j].sites) != len(found.sites) {
				continue // it leaves a weight of the node alone
			}
			found = other.Plan.matches[j]
			found.sites = slices.Clone(found.sites)
			for k := range found.sites {
				found.sites[k].Note = joined(found.sites[k].Note, other.Note)
			}
		}
		mixed.Sites = append(mixed.Sites, found.sites...)
		mixed.matches = append(mixed.matches, found)
	}
	mixed.judge()
	return &mixed
}

// joined is one note of two.
func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// Without is the plan less some of its sites, given by their place in Sites with
// the reason for each. A node that reads several weights is left alone whole.
// The plan itself is not changed; what it has read of weights both share.
func (p *Plan) Without(reasons map[int]string) *Plan {
	rest := *p
	rest.Sites, rest.matches = nil, nil
	rest.Skips = slices.Clone(p.Skips)
	var left []located
	sites := p.sitesOf()
	for i, found := range p.matches {
		reason := ""
		for _, site := range sites[i] {
			if r, ok := reasons[site]; ok {
				reason = r
			}
		}
		if reason != "" {
			rest.Skips = append(rest.Skips, Skip{nodeName(found.at.Node), opName(found.at.Node), reason})
			left = append(left, found)
			continue
		}
		rest.Sites = append(rest.Sites, found.sites...)
		rest.matches = append(rest.matches, found)
	}
	taken := sourcesOf(rest.matches)
	for source := range sourcesOf(left) {
		if !taken[source] && !p.readElsewhere[source] && len(source.Dims) >= 2 {
			rest.RemainingBytes += int64(source.Type.Bits()) / 8 * elements(source.Dims)
		}
	}
	rest.judge()
	return &rest
}

// sourcesOf are the stored tensors that matches quantize.
func sourcesOf(matches []located) map[*onnx.Tensor]bool {
	sources := map[*onnx.Tensor]bool{}
	for _, m := range matches {
		for _, one := range m.match.intents {
			sources[one.w.source] = true
		}
	}
	return sources
}
