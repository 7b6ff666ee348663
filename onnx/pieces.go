package onnx

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// A file is written in pieces, by several goroutines, each piece to where it
// belongs: that is known ahead, as all lengths are. What is in the file does not
// depend on who wrote which piece.

const (
	// pieceLen is about how much is made and written at once: it fits the
	// second-level cache, and makes little of what a system call costs.
	pieceLen = 1 << 20
	// gatherBelow is up to which length payloads are gathered into one piece.
	gatherBelow = 64 << 10
)

// PiecewisePayload is a payload of which any part can be had without the rest,
// by several goroutines at once.
type PiecewisePayload interface {
	Payload
	io.ReaderAt
	// PieceLen is a length of which multiples are best asked for, from offsets
	// that are multiples too.
	PieceLen() int64
}

// piece is a part of a file: several whole chunks, or a part of one.
type piece struct {
	chunks         []chunk
	offset, length int64 // in the file
	from           int64 // in the chunk, of which this is a part
	part           bool
}

// fileWriter writes a file's content.
type fileWriter struct {
	to       io.WriterAt
	pieces   []piece
	threads  int
	ctx      context.Context
	progress func(done int64) // may be nil
	swept    func(bytes int64)

	next atomic.Int64

	mu       sync.Mutex
	done     int64
	failedAt int // the first piece that failed, and why
	err      error
	fallen   any // what a goroutine panicked with
}

// cut divides chunks, which lie in a file where their offsets say, into pieces.
func cut(chunks []chunk) []piece {
	var pieces []piece
	first, held := 0, int64(0)
	flush := func(until int) {
		if until > first {
			pieces = append(pieces, piece{chunks: chunks[first:until], offset: chunks[first].offset, length: held})
		}
		first, held = until, 0
	}
	for i := range chunks {
		c := &chunks[i]
		if c.length < gatherBelow {
			if held > 0 && (held+c.length > pieceLen || chunks[first].offset+held != c.offset) {
				flush(i)
			}
			held += c.length
			continue
		}
		flush(i)
		first = i + 1
		step := c.step()
		for from := int64(0); from < c.length; from += step {
			length := min(step, c.length-from)
			pieces = append(pieces, piece{chunks: chunks[i : i+1], offset: c.offset + from, length: length, from: from, part: true})
		}
	}
	flush(len(chunks))
	return pieces
}

// step is the length of the parts that a chunk is written in.
func (c *chunk) step() int64 {
	if c.payload == nil {
		return 4 * pieceLen
	}
	switch p := c.payload.(type) {
	case PiecewisePayload:
		unit := max(1, p.PieceLen())
		return max(1, pieceLen/unit) * unit
	case viewed:
		if p.isView() {
			return 4 * pieceLen
		}
	}
	return c.length
}

// viewed is a payload whose bytes may be there without being made.
type viewed interface{ isView() bool }

// length is that of the file.
func (w *fileWriter) length() int64 {
	if len(w.pieces) == 0 {
		return 0
	}
	last := &w.pieces[len(w.pieces)-1]
	return last.offset + last.length
}

// run writes all pieces. Its error is that of the first piece in the file that
// could not be written.
func (w *fileWriter) run() error {
	var group sync.WaitGroup
	for range min(w.threads, len(w.pieces)) - 1 {
		group.Go(func() {
			debug.SetPanicOnFault(true) // a fault is for the caller to judge
			defer func() {
				if cause := recover(); cause != nil {
					w.fall(cause)
				}
			}()
			w.work()
		})
	}
	func() {
		defer group.Wait()
		defer w.next.Store(int64(len(w.pieces))) // if work panics, the others stop too
		w.work()
	}()
	passOn(w.fallen)
	return w.err
}

func (w *fileWriter) fall(cause any) {
	w.next.Store(int64(len(w.pieces)))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fallen = cause
}

// work writes pieces until all are begun or one has failed.
func (w *fileWriter) work() {
	var buffer []byte
	for {
		n := int(w.next.Add(1)) - 1
		if n >= len(w.pieces) {
			return
		}
		p := &w.pieces[n]
		err := context.Cause(w.ctx)
		if err == nil {
			buffer, err = w.write(p, buffer)
		}
		w.mu.Lock()
		if err != nil {
			if w.err == nil || n < w.failedAt {
				w.err, w.failedAt = err, n
			}
			w.next.Store(int64(len(w.pieces)))
		}
		w.done += p.length
		if err == nil && w.progress != nil {
			w.progress(w.done)
		}
		w.mu.Unlock()
	}
}

// write makes a piece, in the buffer if it has to be made, and writes it.
func (w *fileWriter) write(p *piece, buffer []byte) ([]byte, error) {
	c := &p.chunks[0]
	if !p.part {
		if len(p.chunks) == 1 && c.payload == nil {
			return buffer, w.put(c.data, p.offset)
		}
		buffer = buffer[:0]
		for i := range p.chunks {
			var err error
			if buffer, err = p.chunks[i].appendTo(buffer); err != nil {
				return buffer, err
			}
		}
		return buffer, w.put(buffer, p.offset)
	}
	switch payload := c.payload.(type) {
	case nil:
		return buffer, w.view(c.data, p)
	case PiecewisePayload:
		if int64(cap(buffer)) < p.length {
			buffer = make([]byte, max(p.length, pieceLen))
		}
		buffer = buffer[:p.length]
		if n, err := payload.ReadAt(buffer, p.from); n < len(buffer) {
			if err == nil || err == io.EOF {
				err = c.promised(p.from + int64(n))
			}
			return buffer, c.named(err)
		}
		return buffer, w.put(buffer, p.offset)
	case io.WriterTo:
		return buffer, writePayload(io.NewOffsetWriter(shortWrites{w.to}, p.offset), c.tensor, payload.(Payload), c.length)
	}
	b, err := c.payload.Bytes()
	if err == nil && int64(len(b)) != c.length {
		err = c.promised(int64(len(b)))
	}
	if err != nil {
		return buffer, c.named(err)
	}
	return buffer, w.view(b, p)
}

// view writes a part of bytes that are there already.
func (w *fileWriter) view(b []byte, p *piece) error {
	err := w.put(b[p.from:p.from+p.length], p.offset)
	w.swept(p.length)
	return err
}

func (w *fileWriter) put(b []byte, offset int64) error {
	_, err := shortWrites{w.to}.WriteAt(b, offset)
	return err
}

// shortWrites is a file on which a write that was not whole, and does not say
// why, is an error.
type shortWrites struct{ to io.WriterAt }

func (w shortWrites) WriteAt(b []byte, offset int64) (int, error) {
	n, err := w.to.WriteAt(b, offset)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return n, err
}

// appendTo appends a small chunk's bytes.
func (c *chunk) appendTo(buffer []byte) ([]byte, error) {
	if c.payload == nil {
		return append(buffer, c.data...), nil
	}
	to := appender{buffer}
	err := writePayload(&to, c.tensor, c.payload, c.length)
	return to.bytes, err
}

type appender struct{ bytes []byte }

func (a *appender) Write(b []byte) (int, error) {
	a.bytes = append(a.bytes, b...)
	return len(b), nil
}

// named is an error with the tensor whose payload it is about.
func (c *chunk) named(err error) error { return fmt.Errorf("tensor %q: %w", c.tensor, err) }

// promised is the error of a payload that has not the length that it promised.
func (c *chunk) promised(given int64) error {
	return fmt.Errorf("its payload promised %d bytes and gave %d", c.length, given)
}
