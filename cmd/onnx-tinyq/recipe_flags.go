package main

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/rewrite"
)

// recipeFlags are the flags that say what to quantize, and into which form.
type recipeFlags struct {
	recipe, activation, target *choice
	granularity, nonfinite     *choice
	ops                        []string
	include, exclude           []string
	minBytes                   int64
}

func (f *recipeFlags) register(flags *pflag.FlagSet) {
	f.recipe = choose(flags, "recipe", "r", "w8a32: int8 weights; w8a16: and each rewritten layer in 16 bit",
		string(rewrite.W8A32), string(rewrite.W8A16))
	f.activation = choose(flags, "activation", "", "the 16-bit type of w8a16",
		onnx.Float16.String(), onnx.BFloat16.String())
	f.target = choose(flags, "target", "t", "portable: DequantizeLinear where the opset has it; fold: Cast and Mul, for runtimes that fold constants",
		string(rewrite.Portable), string(rewrite.Fold))
	f.granularity = choose(flags, "granularity", "", "how many weights share a scale",
		string(rewrite.PerChannel), string(rewrite.PerTensor))
	flags.StringSliceVar(&f.ops, "ops", []string{"MatMul", "Gemm"}, "the operators whose weights are quantized; all: every one known")
	flags.StringArrayVar(&f.include, "include", nil, "quantize only what matches this `GLOB`: a node's name, its weight's, or its operator; repeatable")
	flags.StringArrayVar(&f.exclude, "exclude", nil, "leave alone what matches this `GLOB`; repeatable")
	flags.Int64Var(&f.minBytes, "min-bytes", 1024, "leave weights alone that take fewer bytes")
	f.nonfinite = choose(flags, "nonfinite", "", "what a NaN or infinity in a weight is: an error, or a reason to leave its layer alone",
		"error", "skip")
}

// make is the recipe that the flags ask for.
func (f *recipeFlags) make() (rewrite.Recipe, error) {
	r := rewrite.Recipe{
		Activations:   rewrite.Activations(f.recipe.value),
		Target:        rewrite.Target(f.target.value),
		Granularity:   rewrite.Granularity(f.granularity.value),
		Ops:           f.ops,
		Include:       f.include,
		Exclude:       f.exclude,
		MinBytes:      f.minBytes,
		SkipNonfinite: f.nonfinite.value == "skip",
	}
	var err error
	if r.SixteenBit, err = onnx.ParseDType(f.activation.value); err != nil {
		return r, usageError{err}
	}
	if f.minBytes < 0 {
		return r, usagef("--min-bytes %d: a number of bytes is not negative", f.minBytes)
	}
	if slices.Contains(r.Ops, "all") {
		r.Ops = rewrite.Operators()
	}
	for _, op := range r.Ops {
		if !slices.Contains(rewrite.Operators(), op) {
			return r, usagef("--ops %s: only the weights of %s can be quantized", op, strings.Join(rewrite.Operators(), " and "))
		}
	}
	return r, nil
}

// defaultOutput is where a rewritten model goes if nobody says.
func defaultOutput(model string, recipe rewrite.Recipe) string {
	return strings.TrimSuffix(model, ".onnx") + "." + string(recipe.Activations) + ".onnx"
}
