package main

import (
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// result is what came of one contest.
type result struct {
	Work        string       `json:"work"`
	Threads     int          `json:"threads"`
	Failure     string       `json:"failure,omitempty"` // why there was no contest
	Contestants []entry      `json:"contestants"`
	Ratios      []ratioShown `json:"ratios"`
}

// entry is one contestant's part in a result.
type entry struct {
	Name         string  `json:"name"`
	Failure      string  `json:"failure,omitempty"`
	Rounds       int     `json:"rounds"`
	MedianMS     float64 `json:"median_ms"`
	MinMS        float64 `json:"min_ms"`
	MaxMS        float64 `json:"max_ms"`
	HeapPerRun   uint64  `json:"go_heap_bytes_per_run"`
	Apart        float64 `json:"relative_l2,omitempty"`
	ComparedWith string  `json:"compared_with,omitempty"`
}

// ratioShown is how much faster ours is than a peer, and what is asked for.
type ratioShown struct {
	Ours   string  `json:"ours"`
	Peer   string  `json:"peer"`
	Ratio  float64 `json:"ratio"`
	Low    float64 `json:"quartile_low"`
	High   float64 `json:"quartile_high"`
	Mark   float64 `json:"mark,omitempty"`
	Holds  *bool   `json:"holds,omitempty"`
	Reason string  `json:"reason,omitempty"` // why there is no ratio
}

func (r *result) fill(list []*contestant, marks []mark) {
	byName := map[string]*contestant{}
	for _, c := range list {
		byName[c.name] = c
		shown := entry{Name: c.name, Rounds: len(c.times), HeapPerRun: c.bytes, Apart: c.apart, ComparedWith: c.agrees}
		if c.failure != nil {
			shown.Failure = c.failure.Error()
		} else {
			shown.MedianMS, shown.MinMS, shown.MaxMS = c.milliseconds()
		}
		r.Contestants = append(r.Contestants, shown)
	}
	for _, m := range marks {
		shown := ratioShown{Ours: m.ours, Peer: m.peer, Mark: m.least}
		ours, peer := byName[m.ours], byName[m.peer]
		for name, c := range map[string]*contestant{m.ours: ours, m.peer: peer} {
			if c == nil || c.failure != nil {
				shown.Reason = name + " could not run"
			}
		}
		if shown.Reason == "" {
			shown.Ratio, shown.Low, shown.High = ratio(ours, peer)
		}
		if m.least > 0 {
			holds := shown.Ratio >= m.least
			shown.Holds = &holds
		}
		r.Ratios = append(r.Ratios, shown)
	}
}

// print shows a result as tables.
func (r *result) print(w io.Writer) {
	if r.Failure != "" {
		fmt.Fprintf(w, "  no contest: %s\n\n", r.Failure)
		return
	}
	t := newTable("way", "rounds", "median ms", "min ms", "max ms", "Go heap/run", "apart")
	for _, c := range r.Contestants {
		if c.Failure != "" {
			t.AppendRow(table.Row{c.Name, c.Rounds, "failed: " + c.Failure})
			continue
		}
		apart := ""
		if c.ComparedWith != "" {
			apart = fmt.Sprintf("%.1e of %s", c.Apart, c.ComparedWith)
		}
		milli := func(v float64) string { return fmt.Sprintf("%.3f", v) }
		t.AppendRow(table.Row{c.Name, c.Rounds, milli(c.MedianMS), milli(c.MinMS), milli(c.MaxMS), c.HeapPerRun, apart})
	}
	fmt.Fprintln(w, t.Render())
	for _, s := range r.Ratios {
		fmt.Fprintln(w, "  "+s.String())
	}
	fmt.Fprintln(w)
}

// String is one line: who, by how much, and whether a mark holds.
func (s ratioShown) String() string {
	line := fmt.Sprintf("%s vs %s: ", s.Ours, s.Peer)
	if s.Reason != "" {
		line += s.Reason
	} else {
		line += fmt.Sprintf("%.2f (%.2f to %.2f)", s.Ratio, s.Low, s.High)
	}
	if s.Holds != nil {
		verdict := "MISSED"
		if *s.Holds {
			verdict = "holds"
		}
		line += fmt.Sprintf(", mark %.2f: %s", s.Mark, verdict)
	}
	return line
}

func newTable(header ...any) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Options = table.OptionsNoBordersAndSeparators
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(header)
	return t
}
