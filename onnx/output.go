package onnx

import (
	"errors"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// output is the bytes of a message, laid out but not yet made: small ones are
// copied together, long ones are referred to, payloads are asked for when written.
type output struct {
	chunks []chunk
	tail   []byte // small bytes after the last chunk
	size   int64
}

// chunk is a run of bytes: data, or a payload's.
type chunk struct {
	data    []byte
	payload Payload
	length  int64
	tensor  string // whose payload it is
	offset  int64  // in a file; see placed
}

// copyBelow is up to which length bytes are copied rather than referred to.
const copyBelow = 4096

func (o *output) header(number protowire.Number, length int64) {
	before := len(o.tail)
	o.tail = protowire.AppendTag(o.tail, number, protowire.BytesType)
	o.tail = protowire.AppendVarint(o.tail, uint64(length))
	o.size += int64(len(o.tail) - before)
}

func (o *output) bytes(number protowire.Number, b []byte) {
	o.header(number, int64(len(b)))
	o.verbatim(b)
}

func (o *output) varint(number protowire.Number, v uint64) {
	before := len(o.tail)
	o.tail = protowire.AppendTag(o.tail, number, protowire.VarintType)
	o.tail = protowire.AppendVarint(o.tail, v)
	o.size += int64(len(o.tail) - before)
}

func (o *output) fixed32(number protowire.Number, v uint32) {
	before := len(o.tail)
	o.tail = protowire.AppendTag(o.tail, number, protowire.Fixed32Type)
	o.tail = protowire.AppendFixed32(o.tail, v)
	o.size += int64(len(o.tail) - before)
}

func (o *output) verbatim(b []byte) {
	o.size += int64(len(b))
	if len(b) < copyBelow {
		o.tail = append(o.tail, b...)
		return
	}
	o.flush()
	o.chunks = append(o.chunks, chunk{data: b, length: int64(len(b))})
}

func (o *output) promise(tensor string, p Payload, length int64) {
	o.size += length
	o.flush()
	o.chunks = append(o.chunks, chunk{payload: p, length: length, tensor: tensor})
}

// flush makes a chunk of the tail; what follows goes to the capacity behind it.
func (o *output) flush() {
	if len(o.tail) > 0 {
		o.chunks = append(o.chunks, chunk{data: o.tail[:len(o.tail):len(o.tail)], length: int64(len(o.tail))})
		o.tail = o.tail[len(o.tail):]
	}
}

// merge appends all of another output, which is not used afterwards.
func (o *output) merge(in *output) {
	o.size += in.size
	if len(in.chunks) > 0 {
		o.flush()
		o.chunks = append(o.chunks, in.chunks...)
	}
	o.tail = append(o.tail, in.tail...)
}

// writeTo writes everything in order. Progress, if any, is told the number of
// bytes written so far after each chunk.
func (o *output) writeTo(w io.Writer, progress func(done int64)) error {
	o.flush()
	done := int64(0)
	for i := range o.chunks {
		c := &o.chunks[i]
		if err := c.writeTo(w); err != nil {
			return err
		}
		done += c.length
		if progress != nil {
			progress(done)
		}
	}
	return nil
}

func (c *chunk) writeTo(w io.Writer) error {
	if c.payload != nil {
		return writePayload(w, c.tensor, c.payload, c.length)
	}
	_, err := w.Write(c.data)
	return err
}

// placed is all that there is to write, each chunk with its offset.
func (o *output) placed() []chunk {
	o.flush()
	offset := int64(0)
	for i := range o.chunks {
		o.chunks[i].offset = offset
		offset += o.chunks[i].length
	}
	return o.chunks
}

// writePayload writes a payload's bytes and holds it to the length it promised.
func writePayload(w io.Writer, tensor string, p Payload, length int64) error {
	c := chunk{payload: p, length: length, tensor: tensor}
	written := int64(0)
	switch p := p.(type) {
	case PiecewisePayload:
		buffer := make([]byte, min(length, c.step()))
		for written < length {
			part := buffer[:min(length-written, int64(len(buffer)))]
			n, err := p.ReadAt(part, written)
			if n < len(part) {
				if err == nil || err == io.EOF {
					err = c.promised(written + int64(n))
				}
				return c.named(err)
			}
			if _, err := w.Write(part); err != nil {
				return err
			}
			written += int64(n)
		}
	case io.WriterTo:
		counted := &countingWriter{w: w, left: length}
		if _, err := p.WriteTo(counted); err != nil {
			return c.named(err)
		}
		written = length - counted.left
	default:
		b, err := p.Bytes()
		if err != nil {
			return c.named(err)
		}
		written = int64(len(b))
		if written == length {
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
	}
	if written != length {
		return c.named(c.promised(written))
	}
	return nil
}

// countingWriter refuses to pass on more bytes than are left.
type countingWriter struct {
	w    io.Writer
	left int64
}

var errTooLong = errors.New("its payload gives more bytes than it promised")

func (c *countingWriter) Write(b []byte) (int, error) {
	if int64(len(b)) > c.left {
		return 0, errTooLong
	}
	n, err := c.w.Write(b)
	c.left -= int64(n)
	return n, err
}
