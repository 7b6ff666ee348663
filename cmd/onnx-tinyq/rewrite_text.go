package main

import (
	"fmt"
	"io"
	"strings"
)

// nameWidth is how much of a name the tables for people show.
const nameWidth = 44

// print is the report for people: what became of each layer, why others were
// left alone, totals, and the check's figures.
func (r *rewriteReport) print(out io.Writer) {
	recipe := r.Recipe
	if r.Activation != "" {
		recipe += " " + r.Activation
	}
	fmt.Fprintf(out, "%s: recipe %s, target %s\n", r.Model, recipe, r.Target)
	if len(r.Sites) > 0 {
		t := newTable("layer", "operator", "weight", "shape", "was", "became", "bytes", "", "")
		rightAlign(t, 7, 9)
		var before, after int64
		for _, s := range r.Sites {
			t.AppendRow([]any{
				shorten(s.Node, nameWidth), s.Op, shorten(s.Weight, nameWidth), product(s.Dims), s.Type, "int8 → " + s.Form,
				grouped(s.BytesBefore), "→", grouped(s.BytesAfter),
			})
			before, after = before+s.BytesBefore, after+s.BytesAfter
		}
		t.AppendRow([]any{count(len(r.Sites), "layer"), "", "", "", "", "", grouped(before), "→", grouped(after)})
		fmt.Fprintf(out, "\n%s", render(t))
		for _, s := range r.Sites {
			if s.Note != "" {
				fmt.Fprintf(out, "  %s: %s\n", s.Node, s.Note)
			}
		}
		r.printVerdicts(out)
	}
	if len(r.Skips) > 0 {
		t := newTable("left alone", "operator", "because")
		for _, s := range r.Skips {
			t.AppendRow([]any{shorten(s.Node, nameWidth), s.Op, s.Reason})
		}
		fmt.Fprintf(out, "\n%s", render(t))
	}
	r.printRemaining(out)
	if len(r.Curve) > 0 {
		t := newTable("tried: left in float", "in a finer form", "bytes", "SQNR dB", "")
		rightAlign(t, 1, 2, 3, 4)
		for _, point := range r.Curve {
			mark := ""
			if point.Chosen {
				mark = "chosen"
			}
			t.AppendRow([]any{point.LeftInFloat, point.InOtherForm, grouped(point.Bytes), ratio(point.SQNR), mark})
		}
		fmt.Fprintf(out, "\n%s", render(t))
	}
	if r.Check != nil {
		fmt.Fprintln(out)
		r.Check.print(out)
		r.printOffenders(out)
	}
	if len(r.Sites) == 0 {
		fmt.Fprintln(out, "\nthere is nothing to rewrite in it")
		return
	}
	fmt.Fprintf(out, "\nthe model: %s → %s bytes, %s of what it was\n",
		grouped(r.BytesBefore), grouped(r.BytesAfter), percent(r.BytesAfter, r.BytesBefore))
}

// printRemaining says how many bytes of weights stay float, and which --ops
// would take them.
func (r *rewriteReport) printRemaining(out io.Writer) {
	if len(r.Remaining) == 0 {
		if r.RemainingBytes > 0 {
			fmt.Fprintf(out, "\nfloat weights that remain: %s bytes, and no --ops would take more\n", grouped(r.RemainingBytes))
		}
		return
	}
	t := newTable("operator", "weights", "bytes")
	rightAlign(t, 2, 3)
	var ops []string
	for _, o := range r.Remaining {
		t.AppendRow([]any{o.Op, o.Weights, grouped(o.Bytes)})
		ops = append(ops, o.Op)
	}
	fmt.Fprintf(out, "\nfloat weights that remain: %s bytes; --ops with %s too (or all) would take these:\n%s",
		grouped(r.RemainingBytes), strings.Join(ops, ","), render(t))
}

// printWhere says where the result is.
func (r *rewriteReport) printWhere(out io.Writer, output string) {
	switch {
	case r.Output == "":
		fmt.Fprintf(out, "%s was not written\n", output)
	case r.Output == "-":
		fmt.Fprintf(out, "written to standard output in %.2f s\n", float64(r.Seconds))
	case len(r.Sites) == 0:
		fmt.Fprintf(out, "%s holds the same bytes\n", r.Output)
	default:
		fmt.Fprintf(out, "written to %s in %.2f s\n", r.Output, float64(r.Seconds))
	}
}

// print is the check's figures for people.
func (c *checkReport) print(out io.Writer) {
	t := newTable("output", "max |Δ|", "relative L2", "SQNR dB", "cosine", "same argmax")
	rightAlign(t, 2, 3, 4, 5, 6)
	for _, o := range c.Outputs {
		t.AppendRow([]any{
			shorten(o.Name, nameWidth), figure(o.MaxAbs), figure(o.RelL2), fmt.Sprintf("%.1f", float64(o.SQNR)),
			fmt.Sprintf("%.6f", float64(o.Cosine)), fmt.Sprintf("%.1f %%", 100*float64(o.ArgmaxAgreement)),
		})
	}
	fmt.Fprint(out, render(t))
	switch {
	case c.BoundHeld == nil:
		fmt.Fprintln(out, "  no layer has a proven bound to be held to")
	case *c.BoundHeld:
		fmt.Fprintf(out, "  the proven bound held at %s\n", count(c.bounded(), "layer"))
	default:
		fmt.Fprintln(out, "  the proven bound did not hold")
	}
	verdict := "within what the check allows"
	if !c.Within {
		verdict = "too far apart: " + strings.Join(c.Reasons, "; ")
	}
	fmt.Fprintf(out, "  %s\n", verdict)
}

// figure is a measurement with as many digits as mean something.
func figure(n number) string { return fmt.Sprintf("%.3g", float64(n)) }
