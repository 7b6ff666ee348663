package onnx

import (
	"errors"
	"unicode/utf8"
)

// text warns of a text that is not UTF-8.
func (c *checker) text(at spot, what, s string) {
	if !utf8.ValidString(s) {
		c.warn(at, "%s %q is not valid UTF-8", what, s)
	}
}

// tensor holds a tensor's length to its dims and type, and its external data to
// the file they lie in.
func (c *checker) tensor(at spot, t *Tensor) {
	if len(t.Dims) > maxRank {
		c.fail(at, "tensor %q: it has %d dimensions, more than %d", t.Name, len(t.Dims), maxRank)
		return
	}
	err := t.checkSize()
	if s, ok := t.Data.(*stored); ok {
		if s.external != nil && err == nil {
			_, err = s.externalBytes()
		}
		if s.twice {
			c.warn(at, "tensor %q has elements in raw_data, which is read, and in another field, which is not", t.Name)
		}
	}
	switch {
	case errors.Is(err, errNoFolder):
		c.warn(at, "tensor %q: %v", t.Name, err)
	case err != nil:
		c.fail(at, "tensor %q: %w", t.Name, err)
	}
}

func (c *checker) sparse(at spot, s *SparseTensor) {
	if s.Values == nil || s.Indices == nil {
		c.fail(at, "a sparse tensor lacks its values or its indices")
		return
	}
	c.tensor(at, s.Values)
	c.tensor(at, s.Indices)
	if len(s.Dims) > maxRank {
		c.fail(at, "sparse tensor %q: it has %d dimensions, more than %d", s.Values.Name, len(s.Dims), maxRank)
		return
	}
	if _, err := product(s.Dims); err != nil {
		c.fail(at, "sparse tensor %q: %w", s.Values.Name, err)
		return
	}
	if !s.indicesFit() {
		c.fail(at, "sparse tensor %q: indices of dims %v do not fit values of dims %v in %v",
			s.Values.Name, s.Indices.Dims, s.Values.Dims, s.Dims)
	}
}

// rank holds a declared shape to a number of dimensions that can be worked with.
func (c *checker) rank(at spot, v *Value) {
	for t := v.Type; t != nil; t = t.Elem {
		if len(t.Shape) > maxRank {
			c.fail(at, "value %q: its shape has %d dimensions, more than %d", v.Name, len(t.Shape), maxRank)
		}
	}
}
