package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func (a *app) checkCommand() *cobra.Command {
	var f feedFlags
	minSQNR := 0.0
	command := &cobra.Command{
		Use:   "check ORIGINAL REWRITTEN",
		Short: "Run two models on the same inputs and compare",
		Args:  arguments("ORIGINAL", "REWRITTEN"),
		RunE: func(command *cobra.Command, args []string) error {
			return a.check(command.Context(), args[0], args[1], &f, minSQNR)
		},
	}
	flags := command.Flags()
	f.register(flags)
	registerMinSQNR(flags, &minSQNR)
	return command
}

func (a *app) check(ctx context.Context, originalPath, rewrittenPath string, f *feedFlags, minSQNR float64) error {
	original, _, err := a.open(originalPath)
	if err != nil {
		return err
	}
	defer original.Close()
	rewritten, _, err := a.open(rewrittenPath)
	if err != nil {
		return err
	}
	defer rewritten.Close()
	feeds, err := f.make(original)
	if err != nil {
		return err
	}
	report, err := a.compare(ctx, original, rewritten, feeds, f, minSQNR)
	if err != nil {
		return err
	}
	if err := a.result(report, func() { report.print(a.out) }); err != nil {
		return err
	}
	if !report.Within {
		return apartError{fmt.Errorf("%s is too far from %s: %s", rewrittenPath, originalPath, strings.Join(report.Reasons, "; "))}
	}
	return nil
}

// compare runs two models on the same inputs.
func (a *app) compare(ctx context.Context, original, rewritten *onnx.Model, feeds []map[string]tensor.Value, f *feedFlags, minSQNR float64) (*checkReport, error) {
	bar := a.progress("checking", false)
	defer bar.end()
	report, err := runtime.Compare(ctx, original, rewritten, runtime.CompareOptions{
		Feeds: feeds, Threads: f.threads, Memory: f.memoryLimit(original), MinSQNR: minSQNR, Progress: bar.at,
	})
	if err != nil {
		return nil, err
	}
	return reportCheck(report), nil
}

// judge is the check that rewrite makes of its result, as --check asks. It
// returns nil if none was made.
func (a *app) judge(ctx context.Context, original, rewritten *onnx.Model, f *rewriteFlags) (*checkReport, error) {
	if f.check.value == "off" {
		return nil, nil
	}
	options, samples, err := f.feedFlags.options(original)
	if err != nil {
		return nil, err
	}
	feeds, err := makeFeeds(original, options, samples)
	if err == nil {
		var report *checkReport
		if report, err = a.compare(ctx, original, rewritten, feeds, &f.feedFlags, f.minSQNR); err == nil {
			return report, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f.check.value == "on" {
		return nil, fmt.Errorf("the check cannot be made, and nothing was written: %w: --check off rewrites without it", err)
	}
	if feeds != nil && runs(ctx, original, feeds, &f.feedFlags) {
		return nil, fmt.Errorf("the original runs, but the rewritten model does not, and nothing was written: %w", err)
	}
	a.say("not checked: %s", oneLine(err))
	return nil, ctx.Err()
}

// runs says whether the executor can run a model on all of some feeds.
func runs(ctx context.Context, m *onnx.Model, feeds []map[string]tensor.Value, f *feedFlags) bool {
	session, err := runtime.Compile(m, runtime.Options{Threads: f.threads, Memory: f.memoryLimit(m)})
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(feeds, func(each map[string]tensor.Value) bool {
		_, err := session.Run(ctx, each)
		return err != nil
	})
}

func registerMinSQNR(flags *pflag.FlagSet, minSQNR *float64) {
	flags.Float64Var(minSQNR, "min-sqnr", 0, "fail if an output's signal-to-noise ratio is below this many `DB`")
}
