package onnx

import (
	"fmt"
	"slices"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// one is an optional message that is a view of its own; nil stands for its absence.
func one[V any, P viewOf[V]](f *fields, number protowire.Number, name string, p *P) {
	if f.writer == nil {
		if f.takes(number, protowire.BytesType, name) {
			readOne[V](f, p)
		}
		return
	}
	out := f.writer.field(number, protowire.BytesType)
	if *p != nil {
		f.writer.view(out, number, *p, (*p).meta())
	}
}

// many is a list of messages that are views of their own.
func many[V any, P viewOf[V]](f *fields, number protowire.Number, name string, p *[]P) {
	if f.writer == nil {
		if f.takes(number, protowire.BytesType, name) {
			readMany[V](f, p)
		}
		return
	}
	out := f.writer.field(number, protowire.BytesType)
	for _, v := range *p {
		if v != nil {
			f.writer.view(out, number, v, v.meta())
		}
	}
}

// listed is a list element that is a plain value rather than a view.
type listed[E any] interface {
	*E
	fielder
}

// list is a list of messages that are plain values. An element equal to one of
// the original's is written as that one was, whatever else it held.
func list[E comparable, P listed[E]](f *fields, number protowire.Number, name string, p *[]E) {
	if f.writer == nil {
		if !f.takes(number, protowire.BytesType, name) {
			return
		}
		if f.err = f.charge(2 * unsafe.Sizeof(*new(E))); f.err != nil {
			return
		}
		var e E
		if _, err := f.decoder.message(f.bytes, f.offset, f.depth+1, P(&e)); err != nil {
			f.err = under(fmt.Sprintf("%s[%d]", name, len(*p)), err)
		}
		if n := len(*p); n == cap(*p) {
			*p = slices.Grow(*p, max(1, n)) // append would move a long list more often, and leave more behind
		}
		*p = append(*p, e)
		return
	}
	w := f.writer
	was := w.records(number, protowire.BytesType)
	out := w.field(number, protowire.BytesType)
	next := 0 // originals before it are used or passed by
	for i := range *p {
		if at := indexOfEqual[E, P](was, next, (*p)[i]); at >= 0 {
			out.bytes(number, was[at].bytes)
			next = at + 1
			continue
		}
		w.nest(out, number, nil, P(&(*p)[i]))
	}
}

// lookAhead bounds how far a list element is searched among the original's.
const lookAhead = 8

func indexOfEqual[E comparable, P listed[E]](was []record, from int, e E) int {
	for at := from; at < len(was) && at < from+lookAhead; at++ {
		var original E
		d := &decoder{}
		if _, err := d.message(was[at].bytes, 0, 0, P(&original)); err == nil && original == e {
			return at
		}
	}
	return -1
}

// nested is a message whose fields are part of the view that holds it.
func (f *fields) nested(number protowire.Number, name string, present bool, message fielder) {
	if f.writer == nil {
		if f.takes(number, protowire.BytesType, name) {
			if _, err := f.decoder.message(f.bytes, f.offset, f.depth+1, message); err != nil {
				f.err = under(name, err)
			}
		}
		return
	}
	w := f.writer
	var base []byte // as merged, if there are several
	for i, was := range w.records(number, protowire.BytesType) {
		if i == 0 {
			base = was.bytes[:len(was.bytes):len(was.bytes)]
		} else {
			base = append(base, was.bytes...)
		}
	}
	out := w.field(number, protowire.BytesType)
	if present {
		w.nest(out, number, base, message)
	}
}
