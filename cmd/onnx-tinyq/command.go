package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // the command line is wrong
	exitApart  = 3 // the check found the models too far apart
)

// usageError is a mistake in the command line.
type usageError struct{ error }

// apartError says that a check found two models too far apart.
type apartError struct{ error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// app is what all commands share.
type app struct {
	out    io.Writer // results
	err    io.Writer // everything else
	asJSON bool
	quiet  bool
}

// run runs the command line args and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{out: stdout, err: stderr}
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if ctx.Err() != nil {
		err = errors.New("interrupted; nothing was left half-written")
	}
	fmt.Fprintf(stderr, "onnx-tinyq: %s\n", oneLine(err))
	var usage usageError
	var apart apartError
	switch {
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &apart):
		return exitApart
	}
	return exitFailed
}

// longestLine is how many bytes an error may say: models hold names of any length.
const longestLine = 4000

// oneLine is an error's text on one line: several errors joined have one each.
func oneLine(err error) string {
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return printable(shorten(strings.Join(lines, "; "), longestLine))
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "onnx-tinyq",
		Short: "Rewrite ONNX models into models with int8 weights, and prove that they compute the same",
		Long: `onnx-tinyq rewrites ONNX models into models with int8 weights, runs the original
and the result on the same inputs, and reports how far apart they are.

Results go to standard output, everything else to standard error. Exit codes:
0 done, 1 failed, 2 wrong usage, 3 the check found the models too far apart.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("a command is missing: `onnx-tinyq --help` lists them")
			}
			return usagef("there is no command %q: `onnx-tinyq --help` lists them", args[0])
		},
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return usagef("%w: `%s --help` lists the flags", err, command.CommandPath())
	})
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.BoolVar(&a.asJSON, "json", false, "print the result as one JSON object")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "print nothing but errors, and what --json prints")
	root.AddCommand(a.rewriteCommand(), a.planCommand(), a.checkCommand(), a.runCommand(), a.testCommand(), a.benchCommand(), a.inspectCommand(), a.versionCommand())
	for _, command := range root.Commands() {
		command.Flags().SortFlags = false
	}
	return root
}

// arguments takes exactly the arguments named.
func arguments(names ...string) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usagef("%s is missing: the form is %s", names[len(args)], command.UseLine())
		case len(args) > len(names):
			return usagef("%q is one argument too many: the form is %s", args[len(names)], command.UseLine())
		}
		return nil
	}
}

// say prints a line for people on standard error, unless they want none.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintln(a.err, printable(shorten(fmt.Sprintf(format, args...), longestLine)))
	}
}

// choice is a flag that takes one of a few values.
type choice struct {
	value  string
	values []string
}

// String is the value in force.
func (c *choice) String() string { return c.value }

// Type is what help shows in place of a value.
func (c *choice) Type() string { return strings.Join(c.values, "|") }

// Set takes a value or says which there are.
func (c *choice) Set(value string) error {
	for _, known := range c.values {
		if value == known {
			c.value = value
			return nil
		}
	}
	return fmt.Errorf("it is one of %s", strings.Join(c.values, ", "))
}

// choose adds a choice flag whose first value is its default.
func choose(flags *pflag.FlagSet, name, short, usage string, values ...string) *choice {
	c := &choice{value: values[0], values: values}
	flags.VarP(c, name, short, usage)
	return c
}
