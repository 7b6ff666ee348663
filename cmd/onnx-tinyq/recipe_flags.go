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
	scope                      *choice
	granularity, nonfinite     *choice
	block                      int
	asymmetric                 bool
	accuracyLevel              int
	ops                        []string
	include, exclude           []string
	minBytes                   int64
}

func (f *recipeFlags) register(flags *pflag.FlagSet) {
	f.recipe = choose(flags, "recipe", "r", "w8a32: int8 weights; w8a16: and each rewritten layer in 16 bit; w8a8: and activations quantized while the model runs",
		string(rewrite.W8A32), string(rewrite.W8A16), string(rewrite.W8A8))
	f.activation = choose(flags, "activation", "", "the 16-bit type of w8a16",
		onnx.Float16.String(), onnx.BFloat16.String())
	f.scope = choose(flags, "scope", "", "w8a16: 16 bit around each rewritten layer, or in the whole graph but where that is not safe; the model's own inputs and outputs keep their types",
		"linear", "graph")
	f.target = choose(flags, "target", "t", "portable: DequantizeLinear where the opset has it; fold: Cast and Mul, for runtimes that fold constants; ort: com.microsoft MatMulNBits",
		string(rewrite.Portable), string(rewrite.Fold), string(rewrite.ORT))
	f.granularity = choose(flags, "granularity", "", "how many weights share a scale",
		string(rewrite.PerChannel), string(rewrite.PerTensor), string(rewrite.PerBlock))
	flags.IntVar(&f.block, "block", 32, "how many weights along K share a scale, with --granularity block and --target ort")
	flags.BoolVar(&f.asymmetric, "asymmetric", false, "give each scale a zero point")
	flags.IntVar(&f.accuracyLevel, "ort-accuracy-level", 0, "what the nodes of --target ort ask of their runtime: 1 float32, 4 activations in 8 bit, 0 as it likes")
	flags.StringSliceVar(&f.ops, "ops", rewrite.DefaultOperators(), "the operators whose weights are quantized, out of "+strings.Join(rewrite.Operators(), ",")+"; or all")
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
		Block:         f.block,
		Asymmetric:    f.asymmetric,
		AccuracyLevel: f.accuracyLevel,
		Ops:           f.ops,
		Include:       f.include,
		Exclude:       f.exclude,
		MinBytes:      f.minBytes,
		SkipNonfinite: f.nonfinite.value == "skip",
		WholeGraph:    f.scope.value == "graph",
	}
	var err error
	if r.SixteenBit, err = onnx.ParseDType(f.activation.value); err != nil {
		return r, usageError{err}
	}
	switch {
	case f.minBytes < 0:
		return r, usagef("--min-bytes %d: a number of bytes is not negative", f.minBytes)
	case r.WholeGraph && r.Activations != rewrite.W8A16:
		return r, usagef("--scope graph goes with --recipe w8a16 alone: the others compute in the model's own type")
	case r.Asymmetric && r.Activations == rewrite.W8A8:
		return r, usagef("--asymmetric does not go with --recipe w8a8, which is symmetric")
	case f.block < 16 || f.block > 256 || f.block&(f.block-1) != 0:
		return r, usagef("--block %d: a block is a power of two from 16 to 256 long", f.block)
	case f.accuracyLevel < 0 || f.accuracyLevel > 4:
		return r, usagef("--ort-accuracy-level %d: it is one of 0 to 4", f.accuracyLevel)
	}
	if slices.Contains(r.Ops, "all") {
		r.Ops = rewrite.Operators()
	}
	for _, op := range r.Ops {
		if !slices.Contains(rewrite.Operators(), op) {
			return r, usagef("--ops %s: only the weights of %s can be quantized", op, strings.Join(rewrite.Operators(), ", "))
		}
	}
	return r, nil
}

// defaultOutput is where a rewritten model goes if nobody says.
func defaultOutput(model string, recipe rewrite.Recipe) string {
	return strings.TrimSuffix(model, ".onnx") + "." + string(recipe.Activations) + ".onnx"
}
