package main

import (
	"errors"
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
	Bytes       int64        `json:"bytes,omitempty"`   // of the model, where it is rewritten
	Contestants []entry      `json:"contestants"`
	Ratios      []ratioShown `json:"ratios"`
	Limits      []limitShown `json:"limits,omitempty"`
	Others      float64      `json:"others"` // share of the processors that other programs took meanwhile
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
	PeakBytes    int64   `json:"peak_bytes,omitempty"`
	GBPerSecond  float64 `json:"gb_per_second,omitempty"`
	Apart        float64 `json:"relative_l2,omitempty"`
	ComparedWith string  `json:"compared_with,omitempty"`
}

// ratioShown is how much faster ours is than a peer, and what is asked for.
type ratioShown struct {
	Ours  string  `json:"ours"`
	Peer  string  `json:"peer"`
	Ratio float64 `json:"ratio"`
	Low   float64 `json:"quartile_low"`
	High  float64 `json:"quartile_high"`
	// ProcessorRatio is that of the processor time, on one thread: what the
	// ratio would be if nothing else ran on the machine.
	ProcessorRatio float64 `json:"processor_ratio,omitempty"`
	Mark           float64 `json:"mark,omitempty"`
	Holds          *bool   `json:"holds,omitempty"`
	Reason         string  `json:"reason,omitempty"` // why there is no ratio
}

// limitShown is a contestant's memory beside the most that it may take.
type limitShown struct {
	Name  string `json:"name"`
	Peak  int64  `json:"peak_bytes"`
	Most  int64  `json:"most_bytes"`
	Holds bool   `json:"holds"`
}

func (r *result) limit(c *contestant, most int64) {
	r.Limits = append(r.Limits, limitShown{c.name, c.peak, most, c.peak <= most})
}

func (r *result) fill(list []*contestant, marks []mark) {
	byName := map[string]*contestant{}
	for _, c := range list {
		byName[c.name] = c
		if c.failure == nil && len(c.times) == 0 {
			c.failure = errors.New("it completed no round")
		}
		shown := entry{Name: c.name, Rounds: len(c.times), HeapPerRun: c.bytes, PeakBytes: c.peak, Apart: c.apart, ComparedWith: c.agrees}
		if c.failure != nil {
			shown.Failure = c.failure.Error()
		} else {
			shown.MedianMS, shown.MinMS, shown.MaxMS = c.milliseconds()
			shown.GBPerSecond = float64(r.Bytes) / 1e6 / shown.MedianMS
		}
		r.Contestants = append(r.Contestants, shown)
	}
	for _, m := range marks {
		if byName[m.ours] == nil || byName[m.peer] == nil {
			continue // not asked for
		}
		shown := ratioShown{Ours: m.ours, Peer: m.peer, Mark: m.least}
		ours, peer := byName[m.ours], byName[m.peer]
		for name, c := range map[string]*contestant{m.ours: ours, m.peer: peer} {
			if c.failure != nil {
				shown.Reason = name + " could not run"
			}
		}
		if shown.Reason == "" {
			shown.Ratio, shown.Low, shown.High = ratio(ours.times, peer.times)
			if r.Threads == 1 { // more of ONNX Runtime's spin while they wait
				shown.ProcessorRatio, _, _ = ratio(ours.used, peer.used)
			}
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
	fmt.Fprintln(w, r.table().Render())
	if r.Others > 0.1 {
		fmt.Fprintf(w, "  NOT QUIET: other programs took %.0f %% of the processors\n", 100*r.Others)
	}
	for _, s := range r.Ratios {
		fmt.Fprintln(w, "  "+s.String())
	}
	for _, l := range r.Limits {
		fmt.Fprintf(w, "  %s: peak %d MiB, mark %d MiB: %s\n", l.Name, l.Peak>>20, l.Most>>20, verdict(l.Holds))
	}
	fmt.Fprintln(w)
}

// table lists the contestants: those that are programs with their memory, others
// with what they allocate and how far their results are from another's.
func (r *result) table() table.Writer {
	t := newTable("way", "rounds", "median ms", "min ms", "max ms", "Go heap/run", "apart")
	if r.Bytes > 0 {
		t = newTable("way", "rounds", "median ms", "min ms", "max ms", "GB/s", "peak MiB")
	}
	for _, c := range r.Contestants {
		if c.Failure != "" {
			t.AppendRow(table.Row{c.Name, c.Rounds, "failed: " + c.Failure})
			continue
		}
		milli := func(v float64) string { return fmt.Sprintf("%.3f", v) }
		row := table.Row{c.Name, c.Rounds, milli(c.MedianMS), milli(c.MinMS), milli(c.MaxMS)}
		apart := ""
		if c.ComparedWith != "" {
			apart = fmt.Sprintf("%.1e of %s", c.Apart, c.ComparedWith)
		}
		if r.Bytes > 0 {
			row = append(row, fmt.Sprintf("%.2f", c.GBPerSecond), c.PeakBytes>>20)
		} else {
			row = append(row, c.HeapPerRun, apart)
		}
		t.AppendRow(row)
	}
	return t
}

func verdict(holds bool) string {
	if holds {
		return "holds"
	}
	return "MISSED"
}

// String is one line: who, by how much, and whether a mark holds.
func (s ratioShown) String() string {
	line := fmt.Sprintf("%s vs %s: ", s.Ours, s.Peer)
	if s.Reason != "" {
		line += s.Reason
	} else {
		line += fmt.Sprintf("%.2f (%.2f to %.2f)", s.Ratio, s.Low, s.High)
		if s.ProcessorRatio > 0 {
			line += fmt.Sprintf(", in processor time %.2f", s.ProcessorRatio)
		}
	}
	if s.Holds != nil {
		line += fmt.Sprintf(", mark %.2f: %s", s.Mark, verdict(*s.Holds))
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
