package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	goruntime "runtime"

	"github.com/spf13/cobra"

	"github.com/onnx-tinyq/onnx-tinyq/runtime"
)

type benchReport struct {
	Model        string `json:"model"`
	Threads      int    `json:"threads"`
	Runs         int    `json:"runs"`
	MedianMS     number `json:"median_ms"`
	MinMS        number `json:"min_ms"`
	P95MS        number `json:"p95_ms"`
	LoadMS       number `json:"load_ms"` // opening and compiling
	PeakRSSBytes int64  `json:"peak_rss_bytes"`
	Fast         bool   `json:"fast,omitempty"` // --fast was given, and made a difference
}

func (a *app) benchCommand() *cobra.Command {
	var f feedFlags
	runs, fast := 0, false
	command := &cobra.Command{
		Use:   "bench MODEL",
		Short: "Time the built-in executor",
		Args:  arguments("MODEL"),
		RunE: func(command *cobra.Command, args []string) error {
			if runs < 1 {
				return usagef("--runs %d: at least one run is needed to time it", runs)
			}
			return a.bench(command.Context(), args[0], &f, runs, fast)
		},
	}
	command.Flags().IntVarP(&runs, "runs", "n", 20, "how often to run the model; a first run is not counted")
	f.register(command.Flags())
	registerFast(command.Flags(), &fast)
	return command
}

func (a *app) bench(ctx context.Context, path string, f *feedFlags, runs int, fast bool) error {
	begin := time.Now()
	m, _, err := a.open(path)
	if err != nil {
		return err
	}
	defer m.Close()
	session, err := runtime.Compile(m, runtime.Options{Threads: f.threads, Fast: fast, Memory: f.memoryLimit(m)})
	if err != nil {
		return err
	}
	loaded := time.Since(begin)
	feeds, err := f.one(m)
	if err != nil {
		return err
	}
	times := make([]float64, 0, runs)
	bar := a.progress("running", false)
	for i := range runs + 1 {
		begin := time.Now()
		results, err := session.Run(ctx, feeds)
		if err != nil {
			bar.end()
			return err
		}
		if i > 0 { // the first run fills caches and buffers
			times = append(times, milliseconds(time.Since(begin)))
		}
		session.Recycle(results)
		bar.at(int64(i+1), int64(runs+1))
	}
	bar.end()
	slices.Sort(times)
	report := benchReport{
		Model: path, Threads: f.threads, Runs: runs,
		MedianMS: number(quantile(times, 0.5)), MinMS: number(times[0]), P95MS: number(quantile(times, 0.95)),
		LoadMS: number(milliseconds(loaded)), PeakRSSBytes: peakMemory(), Fast: session.Fast(),
	}
	if report.Threads <= 0 {
		report.Threads = goruntime.GOMAXPROCS(0)
	}
	return a.result(report, func() {
		t := newTable("runs", "threads", "median ms", "min ms", "p95 ms", "load ms", "peak memory")
		rightAlign(t, 1, 2, 3, 4, 5, 6, 7)
		milli := func(n number) string { return fmt.Sprintf("%.3f", float64(n)) }
		t.AppendRow([]any{
			report.Runs, report.Threads, milli(report.MedianMS), milli(report.MinMS), milli(report.P95MS),
			milli(report.LoadMS), grouped(report.PeakRSSBytes),
		})
		fmt.Fprint(a.out, render(t)+fastNote(fast, session.Fast()))
	})
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quantile is the value below which a part of sorted values lies, between two
// of them in proportion.
func quantile(sorted []float64, part float64) float64 {
	at := part * float64(len(sorted)-1)
	below := int(math.Floor(at))
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}
