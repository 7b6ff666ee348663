package rewrite

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// Activations says in which type a rewritten layer computes.
type Activations string

// The recipes. All store weights as int8.
const (
	// W8A32 keeps the type that the model computes in.
	W8A32 Activations = "w8a32"
	// W8A16 computes each rewritten layer in 16 bit, with casts around it.
	W8A16 Activations = "w8a16"
	// W8A8 quantizes activations to 8 bit while the model runs and multiplies
	// integers. Layers without such a form store their weights as W8A32 does.
	W8A8 Activations = "w8a8"
)

// Target says which runtimes a graph is written for: see the package's documentation.
type Target string

// The targets.
const (
	// Portable writes DequantizeLinear where the model's opset has the form that
	// is needed, else what Fold writes.
	Portable Target = "portable"
	// Fold writes Cast and Mul, which every runtime knows, and which those that
	// fold constants turn back into a float weight when they load the model.
	Fold Target = "fold"
	// ORT writes com.microsoft MatMulNBits, which ONNX Runtime alone runs, from
	// version 1.22 (x64) and 1.23 (Arm64) on; what has no such form is written as
	// Portable writes it.
	ORT Target = "ort"
)

// Granularity says how many weights share one scale.
type Granularity string

// The granularities.
const (
	// PerChannel gives each output channel a scale of its own.
	PerChannel Granularity = "channel"
	// PerTensor gives a weight one scale.
	PerTensor Granularity = "tensor"
	// PerBlock gives each run of Recipe.Block weights along the summed axis of
	// an output channel a scale of its own. Weights that are no matrices, or
	// that cannot be split so, have one for each channel.
	PerBlock Granularity = "block"
)

// Recipe says what to quantize, and into which form. Its zero value is W8A32,
// portable, per channel, for every MatMul and Gemm.
type Recipe struct {
	Activations Activations // W8A32 if empty
	// SixteenBit is the type in which W8A16 computes: onnx.Float16, which the
	// zero value stands for, or onnx.BFloat16.
	SixteenBit onnx.DType
	// WholeGraph makes all of a W8A16 model compute in 16 bit, but for operators
	// that are not safe there; else only the rewritten layers do. The model's own
	// inputs and outputs keep their types either way.
	WholeGraph  bool
	Target      Target      // Portable if empty
	Granularity Granularity // PerChannel if empty
	// Block is the length of PerBlock's runs, and of those that ORT asks for: a
	// power of two from 16 to 256; 32 if zero.
	Block int
	// Asymmetric gives each scale a zero point, so that a channel's int8 values
	// cover just the range of its weights.
	Asymmetric bool
	// AccuracyLevel is what ORT's nodes ask of their runtime: 0 leaves it to the
	// runtime, 1 computes in float32, 4 with activations in 8 bit.
	AccuracyLevel int
	// Ops are the operators whose weights are quantized, out of Operators;
	// DefaultOperators if nil.
	Ops []string
	// Include and Exclude are globs on the name of a node, the name of its
	// weight, or its operator: * stands for any characters, ? for one, [ab] for
	// one of several, {a,b} for alternatives. Where Include has any, a node has
	// to match one of them; a node that matches one of Exclude is left alone. A
	// glob that matches no node that could be rewritten is an error.
	Include, Exclude []string
	// MinBytes leaves weights alone that take fewer bytes as floats.
	MinBytes int64
	// SkipNonfinite leaves layers alone whose weights hold NaN or infinities,
	// which are an error otherwise.
	SkipNonfinite bool
}

// normal is the recipe with its defaults filled in, or what is wrong with it.
func (r Recipe) normal() (Recipe, error) {
	defaults := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	defaults((*string)(&r.Activations), string(W8A32))
	defaults((*string)(&r.Target), string(Portable))
	defaults((*string)(&r.Granularity), string(PerChannel))
	if r.SixteenBit == onnx.Undefined {
		r.SixteenBit = onnx.Float16
	}
	if r.Block == 0 {
		r.Block = 32
	}
	if r.Ops == nil {
		r.Ops = DefaultOperators()
	}
	switch {
	case r.Activations != W8A32 && r.Activations != W8A16 && r.Activations != W8A8:
		return r, fmt.Errorf("rewrite: recipe %q is not one of w8a32, w8a16, w8a8", r.Activations)
	case r.SixteenBit != onnx.Float16 && r.SixteenBit != onnx.BFloat16:
		return r, fmt.Errorf("rewrite: activation type %v is not one of float16, bfloat16", r.SixteenBit)
	case r.Target != Portable && r.Target != Fold && r.Target != ORT:
		return r, fmt.Errorf("rewrite: target %q is not one of portable, fold, ort", r.Target)
	case r.Granularity != PerChannel && r.Granularity != PerTensor && r.Granularity != PerBlock:
		return r, fmt.Errorf("rewrite: granularity %q is not one of channel, tensor, block", r.Granularity)
	case r.Block < 16 || r.Block > 256 || r.Block&(r.Block-1) != 0:
		return r, fmt.Errorf("rewrite: a block of %d is not a power of two from 16 to 256", r.Block)
	case r.Asymmetric && r.Activations == W8A8:
		return r, errors.New("rewrite: w8a8 is symmetric: runtimes fail on zero points for each channel")
	case r.AccuracyLevel < 0 || r.AccuracyLevel > 4:
		return r, fmt.Errorf("rewrite: accuracy level %d is not one of 0 to 4", r.AccuracyLevel)
	case r.WholeGraph && r.Activations != W8A16:
		return r, errors.New("rewrite: only w8a16 has a scope: the others compute in the model's own type")
	case r.MinBytes < 0:
		return r, errors.New("rewrite: a minimum of bytes cannot be negative")
	}
	for _, op := range r.Ops {
		if !slices.Contains(Operators(), op) {
			return r, fmt.Errorf("rewrite: the weights of %s cannot be quantized, only those of %s", op, strings.Join(Operators(), ", "))
		}
	}
	return r, nil
}

// selection is the recipe's globs at work.
type selection struct {
	include, exclude []*glob
}

// glob is a pattern that remembers whether it ever matched.
type glob struct {
	pattern string
	matched bool
}

func newSelection(include, exclude []string) (*selection, error) {
	s := &selection{}
	for _, list := range []struct {
		from []string
		to   *[]*glob
	}{{include, &s.include}, {exclude, &s.exclude}} {
		for _, pattern := range list.from {
			if !doublestar.ValidatePattern(flat(pattern)) {
				return nil, fmt.Errorf("rewrite: %q is not a glob: a [ or { may want its closing mate, or a \\ before it", pattern)
			}
			*list.to = append(*list.to, &glob{pattern: flat(pattern)})
		}
	}
	return s, nil
}

// flat makes the slashes that exporters put into names ordinary characters, so
// that * stands for any of them.
func flat(s string) string { return strings.ReplaceAll(s, "/", "\x1f") }

// match says whether a pattern matches one of the names.
func (g *glob) match(names []string) bool {
	for _, name := range names {
		if doublestar.MatchUnvalidated(g.pattern, flat(name)) {
			g.matched = true
			return true
		}
	}
	return false
}

// refuses gives the reason why names are not selected, or nothing. Every glob
// is asked, so that each learns whether it is of use.
func (s *selection) refuses(names ...string) string {
	reason := ""
	included := len(s.include) == 0
	for _, g := range s.include {
		if g.match(names) {
			included = true
		}
	}
	if !included {
		reason = "no --include glob matches it"
	}
	for _, g := range s.exclude {
		if g.match(names) {
			reason = fmt.Sprintf("--exclude %q matches it", strings.ReplaceAll(g.pattern, "\x1f", "/"))
		}
	}
	return reason
}

// unmatched is an error that names the globs which matched nothing.
func (s *selection) unmatched() error {
	var errs []error
	for _, list := range [][]*glob{s.include, s.exclude} {
		for _, g := range list {
			if !g.matched {
				errs = append(errs, fmt.Errorf("rewrite: the glob %q matches no node, weight or operator that could be rewritten: `onnx-tinyq plan` without it lists them", strings.ReplaceAll(g.pattern, "\x1f", "/")))
			}
		}
	}
	return errors.Join(errs...)
}
