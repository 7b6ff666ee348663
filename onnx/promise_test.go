package onnx

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// broken promises bytes and does not deliver.
type broken struct {
	length int64
	bytes  []byte
	err    error
}

func (b broken) Len() int64             { return b.length }
func (b broken) Bytes() ([]byte, error) { return b.bytes, b.err }

// streamed is a payload that writes itself in parts.
type streamed struct {
	broken
	parts int
}

func (s streamed) WriteTo(w io.Writer) (int64, error) {
	written := int64(0)
	for i := range s.parts {
		n, err := w.Write(bytes.Repeat([]byte{byte(i)}, 4))
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, s.err
}

func TestPayloadsThatBreakTheirPromise(t *testing.T) {
	failure := errors.New("the disk is on fire")
	tests := []struct {
		payload Payload
		err     string
	}{
		{broken{length: 2048, err: failure}, "on fire"},
		{broken{length: 2048, bytes: make([]byte, 2047)}, "promised 2048 bytes and gave 2047"},
		{broken{length: 2048, bytes: make([]byte, 2049)}, "promised 2048 bytes and gave 2049"},
		{broken{length: -1}, "length of -1"},
		{broken{length: 1<<63 - 1}, "length of 9223372036854775807"},
		{streamed{broken{length: 2048}, 511}, "promised 2048 bytes and gave 2044"},
		{streamed{broken{length: 2048}, 513}, "more bytes than it promised"},
		{streamed{broken{length: 2048, err: failure}, 512}, "on fire"},
	}
	for _, test := range tests {
		for _, mode := range []ExternalMode{ExternalAuto, ExternalAlways} {
			dir := t.TempDir()
			path := filepath.Join(dir, "out.onnx")
			writeBytes(t, path, []byte("what was there before"))
			m := graphModel(13, &Graph{Initializers: []*Tensor{NewTensor("w", Uint8, []int64{2048}, test.payload)}})
			err := WriteFile(path, m, WriteOptions{ExternalData: mode})
			if err == nil || !strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), `"w"`) {
				t.Errorf("%+v: error %v, want %q", test.payload, err, test.err)
			}
			if diff := cmp.Diff([]string{"out.onnx"}, filesIn(t, dir)); diff != "" {
				t.Errorf("%+v: %s", test.payload, diff)
			}
			if b, err := os.ReadFile(path); err != nil || string(b) != "what was there before" {
				t.Errorf("%+v: the old file is not there any more: %q, %v", test.payload, b, err)
			}
		}
	}
	m := graphModel(13, &Graph{Initializers: []*Tensor{NewTensor("w", Uint8, []int64{8}, streamed{broken{length: 8}, 2})}})
	back := mustDecode(t, encoded(t, m))
	if b, err := back.Graph.Initializers[0].RawBytes(); err != nil || !bytes.Equal(b, []byte{0, 0, 0, 0, 1, 1, 1, 1}) {
		t.Errorf("a payload that writes itself was written as %v, %v", b, err)
	}
}
