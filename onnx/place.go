package onnx

import (
	"fmt"
	"io"
)

// ExternalMode says whether WriteFile puts weights in a file of their own.
type ExternalMode int

const (
	// ExternalAuto keeps everything in one file unless that grew too large.
	ExternalAuto ExternalMode = iota
	// ExternalAlways puts every initializer of 1 KiB or more in external data.
	ExternalAlways
	// ExternalNever keeps everything in one file; too large a model is an error.
	ExternalNever
)

const (
	// externalFrom is the size from which on a tensor is worth an entry in
	// external data.
	externalFrom = 1 << 10
	// Tensors that can be mapped in pages of their own start at a page; others
	// where any vector instruction can read them.
	pagesFrom  = 64 << 10
	pageSize   = 4096
	vectorSize = 64
)

// placement is how a model is spread over its file and the one with its external data.
type placement struct {
	model    *output
	data     []placed // nil: no external data
	dataSize int64
}

// placed is a payload in external data.
type placed struct {
	tensor         string
	payload        Payload
	offset, length int64
}

func (p *placement) size() int64 { return p.model.size + p.dataSize }

// place decides what goes where. A tensor whose bytes lie in the source's
// external data never refers to there: it is brought in, or placed anew.
func place(m *Model, mode ExternalMode, location string, limit int64) (*placement, error) {
	inside := mapTensors(m, func(t *Tensor, _ tensorRole) *Tensor {
		if s, ok := t.Data.(*stored); ok && (s.external != nil || s.err != nil) {
			t = t.Clone()
			t.External, t.Data = nil, broughtIn{s}
		}
		return t
	})
	if mode != ExternalAlways {
		out, err := layOut(inside, &inside.message)
		if err != nil {
			return nil, err
		}
		if out.size <= limit {
			return &placement{model: out}, nil
		}
		if mode == ExternalNever {
			return nil, fmt.Errorf("onnx: the model takes %d bytes, more than a file may hold (%d), "+
				"and external data was ruled out", out.size, limit)
		}
	}
	// Initializers are what other programs expect in external data; the rest
	// follows only where it must.
	p, err := placeOutside(inside, initializerRole, location)
	if err == nil && p.model.size > limit {
		p, err = placeOutside(inside, attributeRole, location)
	}
	if err != nil {
		return nil, err
	}
	if p.model.size > limit {
		return nil, fmt.Errorf("onnx: the model takes %d bytes without its weights, more than a file may hold (%d)", p.model.size, limit)
	}
	return p, nil
}

// placeOutside moves tensors of roles up to the last one given to external data.
func placeOutside(m *Model, last tensorRole, location string) (*placement, error) {
	p := &placement{}
	moved := mapTensors(m, func(t *Tensor, role tensorRole) *Tensor {
		if role > last || t.Data == nil {
			return t
		}
		length := t.Data.Len()
		if length < externalFrom || length > longestPayload { // of the latter layOut complains
			return t
		}
		align := int64(vectorSize)
		if length >= pagesFrom {
			align = pageSize
		}
		offset := (p.dataSize + align - 1) / align * align
		p.data = append(p.data, placed{t.Name, t.Data, offset, length})
		p.dataSize = offset + length
		t = t.Clone()
		t.Data, t.External = nil, &External{Location: location, Offset: offset, Length: length}
		return t
	})
	var err error
	p.model, err = layOut(moved, &moved.message)
	return p, err
}

// broughtIn is a payload from external data that is to be written as any other.
type broughtIn struct{ from *stored }

func (b broughtIn) Len() int64             { return b.from.Len() }
func (b broughtIn) Bytes() ([]byte, error) { return b.from.Bytes() }

// writeData writes the external data, with zeros between payloads.
func (p *placement) writeData(w io.Writer, progress func(done int64)) error {
	at := int64(0)
	zeros := make([]byte, pageSize)
	for _, d := range p.data {
		if _, err := w.Write(zeros[:d.offset-at]); err != nil {
			return err
		}
		if err := writePayload(w, d.tensor, d.payload, d.length); err != nil {
			return err
		}
		at = d.offset + d.length
		progress(at)
	}
	return nil
}
