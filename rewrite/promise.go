package rewrite

import (
	"fmt"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

// What a rewritten model stores of a weight is promised: the int8 weight always,
// its scales where they are measured only while the model is written. A promise
// is kept piece by piece, by whoever writes, from the floats where they lie.

// promise computes the int8 weight when its bytes are asked for.
type promise struct{ w *weight }

// Len is one byte for each weight.
func (p promise) Len() int64 { return elements(p.w.dims) }

// Bytes quantizes the whole weight, in each call anew.
func (p promise) Bytes() ([]byte, error) { return wholeOf(p) }

// ReadAt quantizes a part of the weight.
func (p promise) ReadAt(b []byte, offset int64) (int, error) {
	if err := p.w.quantize(b, int(offset)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// PieceLen is a row of the weight, or, where it is transposed on the way, so many
// that each line of the floats is read in a run of some length.
func (p promise) PieceLen() int64 {
	view, err := p.w.floats()
	if err != nil {
		return 1 // ReadAt will say so
	}
	return pieceLen(view)
}

func pieceLen(view *quantops.Weights) int64 {
	if !view.Flip {
		return int64(max(1, min(view.Columns, wholeRow)))
	}
	return int64(max(1, view.Rows)) * int64(max(16, min(256, turnedAtOnce/max(1, view.Rows))))
}

const (
	wholeRow     = 1 << 20 // longer rows are divided anywhere
	turnedAtOnce = 1 << 21 // bytes of a transposed weight, about
)

// wholeOf reads all of a payload.
func wholeOf(p onnx.PiecewisePayload) ([]byte, error) {
	b := make([]byte, p.Len())
	if _, err := p.ReadAt(b, 0); err != nil {
		return nil, err
	}
	return b, nil
}

// quantize writes quantized weights, from one on in the order of the result.
func (w *weight) quantize(dst []byte, first int) error {
	scales, err := w.measured()
	if err != nil {
		return w.explained(err)
	}
	view, err := w.floats()
	if err != nil {
		return err
	}
	quantops.QuantizeFrom(dst, view, scales, first)
	w.made(len(dst))
	swept := len(dst) * view.Type.Size()
	if view.Flip {
		// Of each line at least a page was touched.
		swept = max(swept, view.Rows*4096)
	}
	w.quantizer.model.Swept(int64(swept))
	return nil
}

// packedPromise computes the weight as MatMulNBits stores it.
type packedPromise struct{ w *weight }

// Len is one byte for each weight, with each row's last block filled up.
func (p packedPromise) Len() int64 { return p.w.dims[0] * p.stride() }

func (p packedPromise) stride() int64 { return p.w.blocks() * int64(p.w.block) }

// Bytes quantizes the whole weight, in each call anew.
func (p packedPromise) Bytes() ([]byte, error) { return wholeOf(p) }

// PieceLen is so many rows as a promise's.
func (p packedPromise) PieceLen() int64 {
	return promise(p).PieceLen() / max(1, p.w.dims[1]) * p.stride()
}

// ReadAt quantizes a part of the weight and moves it to uint8. What fills a last
// block up is never multiplied by anything.
func (p packedPromise) ReadAt(b []byte, offset int64) (int, error) {
	length, stride := p.w.dims[1], p.stride()
	for at := int64(0); at < int64(len(b)); {
		row, column := (offset+at)/stride, (offset+at)%stride
		part := b[at:min(int64(len(b)), at+stride-column)]
		if length == stride {
			part = b[at:] // rows follow each other without a gap
		}
		floats := part
		if length < stride {
			floats = part[:max(0, min(int64(len(part)), length-column))]
			clear(part[len(floats):])
		}
		if err := p.w.quantize(floats, int(row*length+column)); err != nil {
			return int(at), err
		}
		at += int64(len(part))
	}
	for i := range b {
		b[i] ^= 0x80 // q + 128
	}
	return len(b), nil
}

// explained is what a user is told about a weight that has no scales.
func (w *weight) explained(err error) error {
	if isNonfinite(err) {
		return fmt.Errorf("in the weight %q, %w: it has no scale. --nonfinite skip leaves such layers as they are", w.name, err)
	}
	return err
}
