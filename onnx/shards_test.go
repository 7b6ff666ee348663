package onnx

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sharded is a model with tensors of these many bytes.
func sharded(mark byte, lengths ...int) *Model {
	g := &Graph{Name: "shards"}
	for i, n := range lengths {
		data := make(Bytes, n)
		for j := range data {
			data[j] = mark + byte(i) + byte(j%251)
		}
		g.Initializers = append(g.Initializers, NewTensor(fmt.Sprintf("t%d", i), Uint8, []int64{int64(n)}, data))
	}
	return graphModel(13, g)
}

// rawTensors are the bytes of a model's initializers.
func rawTensors(t *testing.T, m *Model) map[string]string {
	t.Helper()
	raw := map[string]string{}
	for _, tensor := range m.Graph.Initializers {
		b, err := tensor.RawBytes()
		if err != nil {
			t.Fatal(err)
		}
		raw[tensor.Name] = string(b)
	}
	return raw
}

func TestShards(t *testing.T) {
	const most = 300_000
	dir := t.TempDir()
	path := filepath.Join(dir, "out.onnx")
	lengths := []int{100, 200_000, 90_000, 20_000, 500_000, 1024, 2000, 150_000, 150_000}
	m := sharded(1, lengths...)
	if err := WriteFile(path, m, WriteOptions{ShardBytes: most, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"out.onnx",
		"out.onnx.data-00001-of-00005", "out.onnx.data-00002-of-00005", "out.onnx.data-00003-of-00005",
		"out.onnx.data-00004-of-00005", "out.onnx.data-00005-of-00005",
	}
	if diff := cmp.Diff(want, filesIn(t, dir)); diff != "" {
		t.Fatal(diff)
	}
	for i, name := range want[1:] {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if alone := i == 2; (info.Size() > most) != alone {
			t.Errorf("%s has %d bytes", name, info.Size())
		}
	}
	if !maps.Equal(rawTensors(t, m), rawTensors(t, openModel(t, path))) {
		t.Error("other tensors were written")
	}

	// Over a model that has its data in such files: its own are needed until the
	// new one has its place, and gone then.
	next := sharded(2, lengths...)
	if err := WriteFile(path, next, WriteOptions{ShardBytes: most, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	for i := range want[1:] {
		want[1+i] = fmt.Sprintf("out.onnx.data.2-%05d-of-00005", i+1)
	}
	if diff := cmp.Diff(want, filesIn(t, dir)); diff != "" {
		t.Error(diff)
	}
	if !maps.Equal(rawTensors(t, next), rawTensors(t, openModel(t, path))) {
		t.Error("other tensors were written")
	}
	if err := WriteFile(path, m, WriteOptions{ExternalData: ExternalAlways, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"out.onnx", "out.onnx.data"}, filesIn(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// piecewise is a payload that is read in pieces.
type piecewise struct {
	data Bytes
	unit int64
}

func (p piecewise) Len() int64             { return int64(len(p.data)) }
func (p piecewise) Bytes() ([]byte, error) { return p.data, nil }

func (p piecewise) PieceLen() int64 { return p.unit }

func (p piecewise) ReadAt(b []byte, offset int64) (int, error) {
	if offset%p.unit != 0 {
		return 0, fmt.Errorf("asked for bytes from %d on, which is no multiple of %d", offset, p.unit)
	}
	return copy(b, p.data[offset:]), nil
}

// short promises more than it has.
type short struct{ piecewise }

func (s short) Len() int64 { return int64(len(s.data)) + 1 }

// TestPieces writes payloads of every kind around the lengths at which pieces
// begin, with one goroutine and with many: the files are the same.
func TestPieces(t *testing.T) {
	g := &Graph{Name: "pieces"}
	add := func(p Payload) {
		g.Initializers = append(g.Initializers, NewTensor(fmt.Sprintf("t%d", len(g.Initializers)), Uint8, []int64{p.Len()}, p))
	}
	for _, n := range []int{0, 1, 1000, gatherBelow - 1, gatherBelow, gatherBelow + 1, pieceLen, pieceLen + 1, 4*pieceLen + 17} {
		data := make(Bytes, n)
		for i := range data {
			data[i] = byte(i * (i>>9 + 7) >> 3)
		}
		add(data)
		for _, unit := range []int64{1, 1000, 3 * pieceLen} {
			add(piecewise{data, unit})
		}
	}
	m := graphModel(13, g)
	encodedModel := string(encoded(t, m))
	for _, mode := range []ExternalMode{ExternalNever, ExternalAlways} {
		var first map[string]string
		for _, threads := range []int{1, 2, 16} {
			dir := t.TempDir()
			path := filepath.Join(dir, "out.onnx")
			if err := WriteFile(path, m, WriteOptions{ExternalData: mode, NoSync: true, Threads: threads}); err != nil {
				t.Fatal(err)
			}
			files, _ := contents(t, dir)
			if first == nil {
				first = files
			}
			if !maps.Equal(first, files) {
				t.Errorf("%d threads wrote other files", threads)
			}
			if mode == ExternalNever && files["out.onnx"] != encodedModel {
				t.Error("the file is not what Encode writes")
			}
			if !maps.Equal(rawTensors(t, m), rawTensors(t, openModel(t, path))) {
				t.Errorf("%d threads wrote other tensors", threads)
			}
		}
	}
}

// TestFirstFailureIsTold wants the error of the first tensor in the file that
// cannot be made, however many goroutines there are.
func TestFirstFailureIsTold(t *testing.T) {
	for _, threads := range []int{1, 16} {
		for range 20 {
			g := &Graph{Name: "failures"}
			for i := range 40 {
				p := Payload(piecewise{make(Bytes, 2*gatherBelow), 1})
				if i >= 7 {
					p = short{piecewise{make(Bytes, 2*gatherBelow), 1}}
				}
				g.Initializers = append(g.Initializers, NewTensor(fmt.Sprintf("t%d", i), Uint8, []int64{p.Len()}, p))
			}
			dir := t.TempDir()
			err := WriteFile(filepath.Join(dir, "out.onnx"), graphModel(13, g), WriteOptions{NoSync: true, Threads: threads})
			want := fmt.Sprintf(`tensor "t7": its payload promised %d bytes and gave %d`, 2*gatherBelow+1, 2*gatherBelow)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("%d threads: error %v, want %s", threads, err, want)
			}
			if left := filesIn(t, dir); len(left) > 0 {
				t.Errorf("%v is left behind", left)
			}
		}
	}
}
