// Command peerbench compares onnx-tinyq with its peers: its executor with ONNX
// Runtime and with executors in Go, its rewriter with copying and with Python
// tools. It is a module of its own, as it needs cgo to call ONNX Runtime's C
// library, which it loads when it runs.
//
//	TINYQ_PYTHON=.venv/bin/python go run . executor --only 'layer|float32'
//
// Speeds are only of use beside each other: contestants work in turn, in one
// process, round by round, and what counts are ratios.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	root := &cobra.Command{
		Use: "peerbench", Short: "Compare onnx-tinyq with its peers",
		SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(executorCommand(), rewritingCommand())
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "peerbench:", err)
		os.Exit(1)
	}
}

func executorCommand() *cobra.Command {
	var library, only, ways, folder, cases string
	var asJSON bool
	c := comparison{}
	command := &cobra.Command{
		Use:   "executor",
		Short: "Compare our executor with ONNX Runtime and with executors in Go",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) (err error) {
			if c.only, err = regexp.Compile(only); err != nil {
				return fmt.Errorf("--only: %w", err)
			}
			if c.ways, err = regexp.Compile(ways); err != nil {
				return fmt.Errorf("--ways: %w", err)
			}
			path, err := findONNXRuntime(library)
			if err != nil {
				return err
			}
			if err := openONNXRuntime(path); err != nil {
				return err
			}
			if c.folder, err = os.MkdirTemp(folder, "peerbench"); err != nil {
				return err
			}
			defer os.RemoveAll(c.folder)
			c.log = command.OutOrStdout()
			if asJSON {
				c.log = io.Discard
			}
			results, err := c.run(command.Context(), works(cases))
			if err != nil {
				return err
			}
			return printJSON(command.OutOrStdout(), asJSON, results)
		},
	}
	flags := command.Flags()
	flags.StringVar(&library, "onnxruntime", "", "ONNX Runtime's library `FILE`, libonnxruntime.so* (default: that of TINYQ_PYTHON's package)")
	flags.StringVar(&only, "only", "", "compare only in what matches this `REGEXP`")
	flags.StringVar(&ways, "ways", "", "run models only in the ways that match this `REGEXP`, and in those whose results they are held to")
	flags.StringVar(&folder, "folder", "", "the `FOLDER` in which models are made (default: the one for temporary files)")
	flags.StringVar(&cases, "cases", os.Getenv("TINYQ_CASES"), "the `FOLDER` of the project's cases, for the models that are not made (default: TINYQ_CASES)")
	flags.IntSliceVar(&c.threads, "threads", []int{1, 2}, "numbers of threads")
	flags.IntVar(&c.pace.rounds, "rounds", 11, "rounds at most")
	flags.DurationVar(&c.pace.turn, "turn", 30*time.Millisecond, "least time for which a contestant works in a round")
	flags.DurationVar(&c.pace.budget, "budget", 10*time.Second, "time for a contest, after which no further round begins")
	flags.BoolVar(&asJSON, "json", false, "print one JSON array")
	flags.StringVar(&c.profiles, "profiles", "", "write a profile of each way of ours to this `FOLDER`, for go tool pprof")
	return command
}

func printJSON(w io.Writer, asJSON bool, results []result) error {
	if !asJSON {
		return nil
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(results)
}

func rewritingCommand() *cobra.Command {
	var only string
	var asJSON bool
	var sizes []int64
	r := rewriting{}
	command := &cobra.Command{
		Use:   "rewriting",
		Short: "Compare our rewriting of a large model with copying it and with tools in Python",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) (err error) {
			if r.only, err = regexp.Compile(only); err != nil {
				return fmt.Errorf("--only: %w", err)
			}
			if r.folder, err = os.MkdirTemp(r.folder, "peerbench"); err != nil {
				return err
			}
			defer os.RemoveAll(r.folder)
			if r.binary == "" {
				if r.binary, err = buildProgram(r.folder); err != nil {
					return err
				}
			}
			r.log = command.OutOrStdout()
			if asJSON {
				r.log = io.Discard
			}
			var results []result
			if r.only.MatchString(copiedInMemory) && r.only.MatchString(quantizedInMemory) {
				for _, threads := range []int{1, 2} {
					shown, err := inMemory(command.Context(), threads, pace{rounds: r.rounds, turn: 200 * time.Millisecond, budget: 5 * time.Second})
					if err != nil {
						return err
					}
					fmt.Fprintln(r.log, shown.Work)
					shown.print(r.log)
					results = append(results, shown)
				}
			}
			for _, gib := range sizes {
				name := fmt.Sprintf("rewriting a transformer of %d GiB", gib)
				fmt.Fprintln(r.log, name)
				shown, err := r.run(command.Context(), name, transformerOf(gib).encoder(8), large(gib))
				shown.print(r.log)
				if err != nil {
					return err
				}
				results = append(results, shown)
			}
			return printJSON(command.OutOrStdout(), asJSON, results)
		},
	}
	flags := command.Flags()
	flags.StringVar(&r.binary, "binary", "", "our program's `FILE` (default: built from this repository)")
	flags.StringVar(&r.python, "python", os.Getenv("TINYQ_PYTHON"), "a Python's `FILE` that has onnx, onnxruntime and onnx_ir (default: TINYQ_PYTHON)")
	flags.StringVar(&r.folder, "folder", "", "the `FOLDER` in which models are made and written (default: the one for temporary files)")
	flags.StringVar(&only, "only", "", "compare only the ways that match this `REGEXP`")
	flags.IntVar(&r.rounds, "rounds", 7, "rounds, after one that is not counted")
	flags.IntVar(&r.pythons, "python-rounds", 3, "rounds that Python takes part in")
	flags.Int64SliceVar(&sizes, "gib", []int64{1}, "sizes of the model in GiB")
	flags.BoolVar(&asJSON, "json", false, "print one JSON array")
	return command
}
