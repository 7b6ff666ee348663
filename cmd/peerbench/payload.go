package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
)

// drawn is the payload of normally distributed float32 values, n of them. They
// are made when they are wanted, the same each time: a model of many gigabytes
// takes no memory.
type drawn struct {
	n         int64
	seed      uint64
	mean      float64
	deviation float64
}

// tableSize is how many values are really drawn; they serve over and over from
// changing places, as drawing every one would take minutes. Odd, so that the
// columns of a matrix differ.
const tableSize = 1<<16 + 1

// Len is the number of bytes.
func (d drawn) Len() int64 { return 4 * d.n }

// Bytes makes all values.
func (d drawn) Bytes() ([]byte, error) {
	b := make([]byte, 0, d.Len())
	d.pieces(func(piece []byte) error {
		b = append(b, piece...)
		return nil
	})
	return b, nil
}

// WriteTo makes the values piece by piece. They are written in long runs, as
// exporters write: how a system keeps a file in memory, and so how fast it is
// read again, depends on that.
func (d drawn) WriteTo(w io.Writer) (written int64, err error) {
	gathered := bufio.NewWriterSize(w, 4<<20)
	err = d.pieces(func(piece []byte) error {
		n, err := gathered.Write(piece)
		written += int64(n)
		return err
	})
	err = errors.Join(err, gathered.Flush())
	return written - int64(gathered.Buffered()), err
}

// pieces calls use with one run of bytes after the other.
func (d drawn) pieces(use func([]byte) error) error {
	random := rand.New(rand.NewPCG(d.seed, 1))
	table := make([]byte, 0, 4*min(tableSize, d.n))
	for range cap(table) / 4 {
		v := float32(d.mean + d.deviation*random.NormFloat64())
		table = binary.LittleEndian.AppendUint32(table, math.Float32bits(v))
	}
	for left := int(d.Len()); left > 0; {
		at := 4 * random.IntN(len(table)/8+1)
		piece := table[at:min(len(table), at+left)]
		if err := use(piece); err != nil {
			return err
		}
		left -= len(piece)
	}
	return nil
}
