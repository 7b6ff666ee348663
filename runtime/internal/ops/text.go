package ops

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// textFamily holds the operators on strings.
var textFamily = []Kernel{
	{Op: "StringConcat", Since: 20, Build: needs(2, Single(buildStringConcat))},
	{Op: "StringSplit", Since: 20, Build: needs(1, Tensors(buildStringSplit))},
	{Op: "StringNormalizer", Since: 10, Build: needs(1, Single(buildStringNormalizer))},
	{Op: "RegexFullMatch", Since: 20, Build: needs(1, Single(buildRegexFullMatch))},
}

// texts is a tensor's strings.
func texts(t *tensor.Tensor) ([]string, error) {
	list, ok := tensor.Data[string](t)
	if !ok {
		return nil, fmt.Errorf("operand of type %v: want strings", t.DType())
	}
	return list, nil
}

func buildStringConcat(*Node) (single, error) {
	return func(c *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		return zipElements(c, in[0], in[1], func(a, b string) string { return a + b })
	}, nil
}

func buildStringSplit(n *Node) (several, error) {
	delimiter, most := n.Text("delimiter", ""), -1
	if n.Has("maxsplit") {
		if most = n.Int("maxsplit", 0) + 1; most < 1 {
			return nil, fmt.Errorf("maxsplit is %d: want 0 or more", most-1)
		}
	}
	return func(_ *Call, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		list, err := texts(in[0])
		if err != nil {
			return nil, err
		}
		split, counts, width := make([][]string, len(list)), make([]int64, len(list)), 0
		for i, s := range list {
			if delimiter == "" {
				split[i] = splitAtSpace(s, most)
			} else {
				split[i] = strings.SplitN(s, delimiter, most)
			}
			counts[i] = int64(len(split[i]))
			width = max(width, len(split[i]))
		}
		shape := append(slices.Clone(in[0].Shape()), width)
		if _, err := checkedCount(shape); err != nil {
			return nil, err
		}
		parts := make([]string, len(list)*width)
		for i, fields := range split {
			copy(parts[i*width:], fields)
		}
		return []*tensor.Tensor{tensor.New(shape, parts), tensor.New(in[0].Shape(), counts)}, nil
	}, nil
}

// splitAtSpace splits s where there is white space, into at most so many fields
// if that is not negative; the last then has the rest, inner space and all.
func splitAtSpace(s string, most int) []string {
	fields := strings.Fields(s)
	if most < 0 || len(fields) <= most {
		return fields
	}
	rest := strings.TrimSpace(s)
	for _, field := range fields[:most-1] {
		rest = strings.TrimSpace(rest[len(field):])
	}
	return append(fields[:most-1:most-1], rest)
}

func buildRegexFullMatch(n *Node) (single, error) {
	pattern, err := regexp.Compile(`\A(?:` + n.Text("pattern", "") + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("attribute pattern: %w", err)
	}
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		list, err := texts(in[0])
		if err != nil {
			return nil, err
		}
		matches := make([]bool, len(list))
		for i, s := range list {
			matches[i] = pattern.MatchString(s)
		}
		return tensor.New(in[0].Shape(), matches), nil
	}, nil
}

// buildStringNormalizer builds StringNormalizer. Its locale is not looked at:
// cases are changed as Unicode has them.
func buildStringNormalizer(n *Node) (single, error) {
	keep := func(s string) string { return s }
	change := keep
	switch action := n.Text("case_change_action", "NONE"); action {
	case "NONE":
	case "LOWER":
		change = strings.ToLower
	case "UPPER":
		change = strings.ToUpper
	default:
		return nil, fmt.Errorf("case_change_action is %q: want LOWER, UPPER or NONE", action)
	}
	fold := keep
	if n.Int("is_case_sensitive", 0) == 0 {
		fold = strings.ToLower
	}
	stops := map[string]bool{}
	for _, word := range n.Texts("stopwords") {
		stops[fold(word)] = true
	}
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		list, err := texts(in[0])
		if err != nil {
			return nil, err
		}
		shape := in[0].Shape()
		if len(shape) != 1 && (len(shape) != 2 || shape[0] != 1) {
			return nil, fmt.Errorf("operand of shape %v: want (C) or (1, C)", shape)
		}
		kept := make([]string, 0, len(list))
		for _, s := range list {
			if !stops[fold(s)] {
				kept = append(kept, change(s))
			}
		}
		if len(kept) == 0 {
			kept = append(kept, "")
		}
		shape = slices.Clone(shape)
		shape[len(shape)-1] = len(kept)
		return tensor.New(shape, kept), nil
	}, nil
}
