package onnx

import "fmt"

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

// placement is how a model is spread over its file and those with its external data.
type placement struct {
	model *output
	data  []*dataFile // nil: no external data
}

// dataFile is a file with external data.
type dataFile struct {
	chunks    []chunk
	size      int64
	externals []*External // that refer to it
}

func (p *placement) size() int64 {
	size := p.model.size
	for _, f := range p.data {
		size += f.size
	}
	return size
}

// placing says how to place a model.
type placing struct {
	mode  ExternalMode
	limit int64 // of the model's own file, beyond which weights have to leave it
	shard int64 // of files with external data; 0: one holds all
	// names gives the names of so many files with external data, as the model
	// refers to them.
	names func(files int) []string
}

// place decides what goes where. A tensor whose bytes lie in the source's
// external data never refers to there: it is brought in, or placed anew.
func (p *placing) place(m *Model) (*placement, error) {
	inside := mapTensors(m, func(t *Tensor, _ tensorRole) *Tensor {
		if s, ok := t.Data.(*stored); ok && (s.external != nil || s.err != nil) {
			t = t.Clone()
			t.External, t.Data = nil, broughtIn{s}
		}
		return t
	})
	if p.mode != ExternalAlways && (p.shard == 0 || p.mode == ExternalNever) {
		out, err := layOut(inside, &inside.message)
		if err != nil {
			return nil, err
		}
		if out.size <= p.limit {
			return &placement{model: out}, nil
		}
		if p.mode == ExternalNever {
			return nil, fmt.Errorf("onnx: the model takes %d bytes, more than a file may hold (%d), "+
				"and external data was ruled out", out.size, p.limit)
		}
	}
	// Initializers are what other programs expect in external data; the rest
	// follows only where it must.
	outside, err := p.outside(inside, initializerRole)
	if err == nil && outside.model.size > p.limit {
		outside, err = p.outside(inside, attributeRole)
	}
	if err != nil {
		return nil, err
	}
	if outside.model.size > p.limit {
		return nil, fmt.Errorf("onnx: the model takes %d bytes without its weights, more than a file may hold (%d)", outside.model.size, p.limit)
	}
	return outside, nil
}

// outside moves tensors of roles up to the last one given to external data.
func (p *placing) outside(m *Model, last tensorRole) (*placement, error) {
	placed := &placement{}
	moved := mapTensors(m, func(t *Tensor, role tensorRole) *Tensor {
		if role > last || t.Data == nil {
			return t
		}
		length := t.Data.Len()
		if length < externalFrom || length > longestPayload { // of the latter layOut complains
			return t
		}
		file, offset := p.room(placed, length)
		external := &External{Offset: offset, Length: length}
		file.chunks = append(file.chunks, chunk{payload: t.Data, length: length, tensor: t.Name, offset: offset})
		file.externals = append(file.externals, external)
		file.size = offset + length
		t = t.Clone()
		t.Data, t.External = nil, external
		return t
	})
	for i, name := range p.names(len(placed.data)) {
		for _, external := range placed.data[i].externals {
			external.Location = name
		}
	}
	var err error
	placed.model, err = layOut(moved, &moved.message)
	return placed, err
}

// room is where a payload goes: behind the others, or, if that would make the
// file too large, into a new one. A payload is never divided, so one that is
// larger than a file may be has a file of its own.
func (p *placing) room(placed *placement, length int64) (*dataFile, int64) {
	align := int64(vectorSize)
	if length >= pagesFrom {
		align = pageSize
	}
	if n := len(placed.data); n > 0 {
		file := placed.data[n-1]
		offset := (file.size + align - 1) / align * align
		if p.shard == 0 || offset+length <= p.shard {
			return file, offset
		}
	}
	file := &dataFile{}
	placed.data = append(placed.data, file)
	return file, 0
}

// broughtIn is a payload from external data that is to be written as any other.
type broughtIn struct{ from *stored }

func (b broughtIn) Len() int64             { return b.from.Len() }
func (b broughtIn) Bytes() ([]byte, error) { return b.from.Bytes() }
func (b broughtIn) isView() bool           { return true }
