package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/onnx-tinyq/onnx-tinyq/runtime"
)

type testReport struct {
	Cases       []caseReport `json:"cases"`
	Passed      int          `json:"passed"`
	Failed      int          `json:"failed"`
	Unsupported int          `json:"unsupported"`
}

type caseReport struct {
	Name   string `json:"name"`
	Result string `json:"result"` // passed, failed or unsupported
	Detail string `json:"detail"`
}

func (a *app) testCommand() *cobra.Command {
	var o runtime.CaseOptions
	command := &cobra.Command{
		Use:   "test DIR...",
		Short: "Run ONNX test cases: folders with model.onnx and test_data_set_*, at any depth",
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("a folder with test cases is missing")
			}
			return a.test(command.Context(), args, o)
		},
	}
	flags := command.Flags()
	flags.Float64Var(&o.RelativeTolerance, "rtol", 1e-3, "relative tolerance, unless the case has a file `tol`")
	flags.Float64Var(&o.AbsoluteTolerance, "atol", 1e-5, "absolute tolerance, unless the case has a file `tol`")
	registerThreads(flags, &o.Threads)
	return command
}

func (a *app) test(ctx context.Context, folders []string, o runtime.CaseOptions) error {
	cases, err := runtime.ReadCases(folders...)
	if err != nil {
		return err
	}
	report := &testReport{Cases: []caseReport{}}
	bar := a.progress("testing", false)
	for i, c := range cases {
		result := c.Run(ctx, o)
		if err := ctx.Err(); err != nil {
			bar.end()
			return err
		}
		report.add(result)
		bar.at(int64(i+1), int64(len(cases)))
	}
	bar.end()
	err = a.result(report, func() {
		for _, c := range report.Cases {
			if c.Result != string(runtime.Passed) {
				fmt.Fprintf(a.out, "%s: %s: %s\n", c.Result, c.Name, c.Detail)
			}
		}
		fmt.Fprintf(a.out, "%d passed, %d failed, %d unsupported\n", report.Passed, report.Failed, report.Unsupported)
	})
	if err == nil && report.Failed > 0 {
		err = fmt.Errorf("%d of %s failed", report.Failed, count(len(cases), "case"))
	}
	return err
}

func (r *testReport) add(result runtime.CaseResult) {
	r.Cases = append(r.Cases, caseReport{result.Name, string(result.Outcome), result.Detail})
	switch result.Outcome {
	case runtime.Passed:
		r.Passed++
	case runtime.NotImplemented:
		r.Unsupported++
	default:
		r.Failed++
	}
}
