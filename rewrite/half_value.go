package rewrite

import (
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// A value of the original may be at hand in float32, in 16 bit, or both: what a
// reader wants and is not there is cast, once in a scope.

// isHalf says whether a float32 value is at hand in 16 bit alone.
func (h *halver) isHalf(scope *onnx.Scope, s *halfScope, name string) bool {
	defining := h.defining(scope, name)
	return s.wide[name] == "" && defining != nil && defining.wide[name] == "" && defining.half[name] != ""
}

// renamed is the name that stands for a value which is not float32.
func (h *halver) renamed(scope *onnx.Scope, name string) string {
	if defining := h.defining(scope, name); defining != nil {
		if other, ok := defining.same[name]; ok {
			return other
		}
	}
	return name
}

// defining is the new graph of the scope that defines a name.
func (h *halver) defining(scope *onnx.Scope, name string) *halfScope {
	if at := scope.Lookup(name); at != nil {
		return h.scopes[at]
	}
	return nil
}

// inHalf is the name of a float32 value in 16 bit; a constant is stored so.
func (h *halver) inHalf(scope *onnx.Scope, s *halfScope, name string) (string, error) {
	for _, at := range []*halfScope{s, h.defining(scope, name)} {
		if at != nil && at.half[name] != "" {
			return at.half[name], nil
		}
	}
	if c := scope.Constant(name); c != nil && !c.Overridable && h.initializers {
		if at := h.scopes[c.Scope]; at != nil && h.unfit(c, name).reason == "" {
			if stored, ok := s.stored[c.Source]; ok && asItIs(c) {
				s.half[name] = stored
				return stored, nil
			}
			t, err := roundedTo(c.Tensor(name), h.narrow)
			if err != nil {
				return "", err
			}
			t.Name = h.names.fresh(name + "_" + h.narrow.String())
			s.constants = append(s.constants, t)
			s.half[name] = t.Name
			if asItIs(c) {
				s.stored[c.Source] = t.Name
			}
			return t.Name, nil
		}
	}
	wide, err := h.inWide(scope, s, name)
	if err != nil {
		return "", err
	}
	half := h.names.fresh(name + "_" + h.narrow.String())
	s.nodes = append(s.nodes, castNode(h.names, wide, half, h.narrow))
	s.half[name] = half
	return half, nil
}

// asItIs says that a constant is the stored tensor itself, under whatever name.
func asItIs(c *onnx.Constant) bool {
	return !slices.ContainsFunc(c.Path, func(n *onnx.Node) bool { return n.OpType != "Constant" && n.OpType != "Identity" })
}

// inWide is the name of a float32 value in float32.
func (h *halver) inWide(scope *onnx.Scope, s *halfScope, name string) (string, error) {
	defining := h.defining(scope, name)
	for _, at := range []*halfScope{s, defining} {
		if at != nil && at.wide[name] != "" {
			return at.wide[name], nil
		}
	}
	if defining == nil || defining.half[name] == "" || scope.Constant(name) != nil {
		return name, nil // an input, or a constant: float32 as it was
	}
	if isInput(scope, name) && defining.half[name] != name {
		return name, nil
	}
	wide := h.names.fresh(name + "_float")
	s.nodes = append(s.nodes, castNode(h.names, defining.half[name], wide, onnx.Float))
	s.wide[name] = wide
	return wide, nil
}

// isInput says whether a name is an input of the scope that defines it.
func isInput(scope *onnx.Scope, name string) bool {
	at := scope.Lookup(name)
	return at != nil && at.IsInput(name)
}

func castNode(names *nameSet, from, to string, dtype onnx.DType) *onnx.Node {
	return &onnx.Node{
		Name: names.fresh(to + "_Cast"), OpType: "Cast",
		Inputs: []string{from}, Outputs: []string{to}, Attrs: []*onnx.Attr{onnx.IntAttr("to", int64(dtype))},
	}
}
