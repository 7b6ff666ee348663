package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/rewrite"
)

// rewriteFlags are the flags of rewrite and of plan.
type rewriteFlags struct {
	recipeFlags
	feedFlags
	output       string
	externalData *choice
	shardBytes   int64
	sync         *choice
	check        *choice
	minSQNR      float64
	tune         bool
	report       string
	force        bool
}

func (f *rewriteFlags) register(flags *pflag.FlagSet) {
	flags.StringVarP(&f.output, "output", "o", "", "the new model's `FILE`; -: standard output (default MODEL with .<recipe>.onnx for .onnx)")
	f.recipeFlags.register(flags)
	f.externalData = choose(flags, "external-data", "", "put weights into a file beside the model: if it would pass 2 GiB, always, never",
		"auto", "always", "never")
	flags.Int64Var(&f.shardBytes, "shard-bytes", 0, "put weights into files beside the model of at most so many bytes each; a weight that is larger has a file of its own")
	f.sync = choose(flags, "sync", "", "auto: the file is on the disk before success is reported; off: as the system likes",
		"auto", "off")
	f.check = choose(flags, "check", "", "run both models and compare: whenever the executor can run the model, on, off",
		"auto", "on", "off")
	registerMinSQNR(flags, &f.minSQNR)
	flags.BoolVar(&f.tune, "tune", false, "measure what each layer does to the outputs; give the most harmful ones finer forms (blocks, or w8a32 instead of w8a8), or leave them in float, until --min-sqnr holds")
	flags.StringVar(&f.report, "report", "", "write a report to this `FILE`: .html or .json")
	flags.BoolVarP(&f.force, "force", "f", false, "keep the output of a failed check")
	f.feedFlags.register(flags)
}

func (a *app) rewriteCommand() *cobra.Command {
	var f rewriteFlags
	command := &cobra.Command{
		Use:     "rewrite MODEL",
		Short:   "Quantize a model, check the result, and write it",
		Example: "  onnx-tinyq rewrite model.onnx\n  onnx-tinyq rewrite model.onnx --recipe w8a16 --target fold -o small.onnx",
		Args:    arguments("MODEL"),
		RunE: func(command *cobra.Command, args []string) error {
			return a.rewrite(command.Context(), args[0], &f)
		},
	}
	f.register(command.Flags())
	return command
}

func (a *app) planCommand() *cobra.Command {
	var f rewriteFlags
	command := &cobra.Command{
		Use:   "plan MODEL",
		Short: "Say what rewrite would do with the same flags, and why; read no weights, write nothing",
		Args:  arguments("MODEL"),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.plan(args[0], &f)
		},
	}
	f.register(command.Flags())
	return command
}

// job is one model on its way through rewrite or plan.
type job struct {
	flags  *rewriteFlags
	model  *onnx.Model
	recipe rewrite.Recipe
	plan   *rewrite.Plan
	report *rewriteReport
	output string // the file to write; - for standard output
}

// begin opens a model and plans what to do with it.
func (a *app) begin(path string, f *rewriteFlags) (*job, error) {
	recipe, err := f.recipeFlags.make()
	if err != nil {
		return nil, err
	}
	j := &job{flags: f, output: f.output}
	if j.output == "" {
		j.output = defaultOutput(path, recipe)
	}
	switch extension := filepath.Ext(f.report); {
	case j.output == "-" && a.asJSON:
		return nil, usagef("--output - and --json both want standard output: name a file for one of them")
	case f.shardBytes < 0:
		return nil, usagef("--shard-bytes %d: a number of bytes is not negative", f.shardBytes)
	case f.shardBytes > 0 && f.externalData.value == "never":
		return nil, usagef("--shard-bytes asks for files beside the model, and --external-data never rules them out")
	case f.shardBytes > 0 && j.output == "-":
		return nil, usagef("--shard-bytes asks for files beside the model, and standard output has no folder")
	case f.tune && f.minSQNR == 0:
		return nil, usagef("--tune wants a mark to reach: --min-sqnr DB")
	case f.report != "" && extension != ".html" && extension != ".json":
		return nil, usagef("--report %s: reports are written as .html or .json", f.report)
	case f.report != "" && filepath.Clean(f.report) == filepath.Clean(j.output):
		return nil, usagef("--report and --output both name %s", f.report)
	}
	m, warnings, err := a.open(path)
	if err != nil {
		return nil, err
	}
	j.model = m
	err = errors.Join(sparesSource(m, j.output), sparesSource(m, f.report))
	if err == nil {
		err = j.plans(path, recipe)
	}
	if err != nil {
		m.Close()
		return nil, err
	}
	j.report.Warnings = append(j.report.Warnings, warnings...)
	return j, nil
}

func (j *job) plans(path string, recipe rewrite.Recipe) error {
	before, err := bytesOf(path, j.model)
	if err != nil {
		return err
	}
	j.recipe = recipe
	if j.plan, err = rewrite.New(j.model, recipe); err != nil {
		return err
	}
	j.plan.Threads = j.flags.threads
	j.report = &rewriteReport{
		Model: path, Recipe: string(recipe.Activations), Target: string(recipe.Target), BytesBefore: before,
		Sites: reportSites(j.plan.Sites), Skips: reportSkips(j.plan.Skips), Warnings: []string{},
		MinSQNR: number(j.flags.minSQNR), Remaining: reportRemaining(j.plan.Remaining), RemainingBytes: j.plan.RemainingBytes,
	}
	if recipe.Activations == rewrite.W8A16 {
		j.report.Activation = recipe.SixteenBit.String()
	}
	return nil
}

// sparesSource is an error if writing file would overwrite the model or its
// external data, or what is no file that could be replaced.
func sparesSource(m *onnx.Model, file string) error {
	if file == "-" || file == "" {
		return nil
	}
	target, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case target.IsDir():
		return usagef("%s is a folder: name a file in it", file)
	case !target.Mode().IsRegular():
		return usagef("%s is no regular file, and nothing else is replaced: name another, or - for standard output", file)
	case m.ReadsFrom(target):
		return usagef("%s is the source itself, which is never overwritten: name another file", file)
	}
	return nil
}

func (a *app) plan(path string, f *rewriteFlags) error {
	begin := time.Now()
	j, err := a.begin(path, f)
	if err != nil {
		return err
	}
	defer j.model.Close()
	r := j.report
	r.Output = j.output
	r.BytesAfter = r.BytesBefore - r.saved()
	if f.tune {
		r.Warnings = append(r.Warnings, "a plan reads no weights and runs nothing, so --tune changes nothing in it")
		a.say("%s", r.Warnings[len(r.Warnings)-1])
	}
	r.finish(begin)
	return errors.Join(f.writeReport(r), a.result(r, func() {
		r.print(a.out)
		fmt.Fprintln(a.out, "\nnothing was written: this is a plan")
	}))
}

func (a *app) rewrite(ctx context.Context, path string, f *rewriteFlags) error {
	begin := time.Now()
	j, err := a.begin(path, f)
	if err != nil {
		return err
	}
	defer j.model.Close()
	r := j.report
	if f.tune {
		if err := a.tune(ctx, j); err != nil {
			return err
		}
		r.RemainingBytes = j.plan.RemainingBytes
	}
	j.plan.Late = f.check.value == "off" // nobody reads the weights before they are written
	result, err := j.plan.Apply(ctx)
	if err != nil {
		return err
	}
	r.Sites, r.Skips = reportSites(result.Sites), reportSkips(result.Skips)
	if len(r.Sites) > 0 {
		if r.Check, err = a.judge(ctx, j.model, result.Model, f); err != nil {
			return err
		}
		if r.Check != nil {
			if err := r.measureSites(result.Sites); err != nil {
				return err
			}
		}
	}
	var apart error
	if r.Check != nil && !r.Check.Within {
		apart = apartError{fmt.Errorf("%s: the rewritten model is too far from the original: %s", path, strings.Join(r.Check.Reasons, "; "))}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if apart == nil || f.force {
		if err := a.put(ctx, j, result.Model); err != nil {
			return err
		}
		if err := result.Complete(); err != nil {
			return err
		}
		for i := range r.Sites {
			r.Sites[i].Note = result.Sites[i].Note
		}
	}
	r.finish(begin)
	if err := f.writeReport(r); err != nil {
		return err
	}
	people := a.out
	if j.output == "-" {
		people = a.err // standard output has the model
	}
	err = a.result(r, func() {
		r.print(people)
		r.printWhere(people, j.output)
	})
	switch {
	case err != nil:
		return err
	case apart != nil && f.force:
		return apartError{fmt.Errorf("%w; it was written all the same, as --force asks", apart)}
	case apart != nil:
		return apartError{fmt.Errorf("%w; it was not written: --force keeps it, --exclude leaves layers in float", apart)}
	}
	return nil
}

// put writes the model to its place, whole or not at all.
func (a *app) put(ctx context.Context, j *job, m *onnx.Model) error {
	census, err := newCensus(m)
	if err != nil {
		return err
	}
	options := onnx.WriteOptions{NoSync: j.flags.sync.value == "off", Context: ctx, Threads: j.flags.threads, ShardBytes: j.flags.shardBytes}
	switch j.flags.externalData.value {
	case "always":
		options.ExternalData = onnx.ExternalAlways
	case "never":
		options.ExternalData = onnx.ExternalNever
	}
	beside := filepath.Dir(j.output) == filepath.Dir(j.report.Model)
	switch {
	case j.output == "-" && census.external == 0:
		counter := &countingWriter{to: a.out}
		err := onnx.Encode(counter, m)
		j.report.Output, j.report.BytesAfter = j.output, counter.bytes
		return err
	case j.output == "-":
		return a.stream(ctx, j, m)
	case m == j.model && census.external > 0 && beside && j.flags.externalData.value == "auto":
		// Nothing was rewritten: the same bytes, and they refer to the same data.
		err = copyFile(j.report.Model, j.output)
	default:
		bar := a.progress("writing", true)
		options.Progress = bar.at
		err = onnx.WriteFile(j.output, m, options)
		bar.end()
	}
	if err != nil {
		return err
	}
	j.report.Output = j.output
	j.report.BytesAfter, err = sizeOnDisk(j.output)
	return err
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	return replaceFile(to, info.Mode().Perm(), func(w io.Writer) error {
		_, err := io.Copy(w, source)
		return err
	})
}

// stream writes a model whose weights are partly in external data to standard
// output. They have to move into the model, as it has no folder there.
func (a *app) stream(ctx context.Context, j *job, m *onnx.Model) error {
	folder, err := os.MkdirTemp("", "onnx-tinyq")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	whole := filepath.Join(folder, "model.onnx")
	if err := onnx.WriteFile(whole, m, onnx.WriteOptions{ExternalData: onnx.ExternalNever, NoSync: true, Context: ctx}); err != nil {
		return err
	}
	file, err := os.Open(whole)
	if err != nil {
		return err
	}
	defer file.Close()
	// Where an open file may lose its name, nothing is left however this ends;
	// elsewhere the folder is removed in the end.
	_ = os.RemoveAll(folder)
	j.report.Output = j.output
	j.report.BytesAfter, err = io.Copy(a.out, file)
	return err
}

// countingWriter knows how much went through it.
type countingWriter struct {
	to    io.Writer
	bytes int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.bytes += int64(n)
	return n, err
}

// saved is how many bytes less the weights take; one that several nodes read
// counts once.
func (r *rewriteReport) saved() int64 {
	type stored struct {
		weight string
		after  int64
	}
	seen := map[stored]bool{}
	saved := int64(0)
	for _, s := range r.Sites {
		if key := (stored{s.Weight, s.BytesAfter}); !seen[key] {
			seen[key] = true
			saved += s.BytesBefore - s.BytesAfter
		}
	}
	return saved
}

func (r *rewriteReport) finish(begin time.Time) {
	r.Seconds = number(time.Since(begin).Seconds())
	r.PeakRSSBytes = peakMemory()
}
