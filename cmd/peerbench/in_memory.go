package main

import (
	"context"
	"fmt"
	goruntime "runtime"
	"sync"
	"time"

	"github.com/onnx-tinyq/onnx-tinyq/quantops"
)

const (
	copiedInMemory    = "memcpy"
	quantizedInMemory = "absmax and quantize"
)

// inMemory compares quantizing a matrix of 256 MiB with copying it: what there
// is of rewriting when neither files nor the format matter.
func inMemory(ctx context.Context, threads int, p pace) (result, error) {
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(threads))
	const rows, columns = 8192, 8192
	data, err := drawn{n: rows * columns, seed: 1, deviation: 1}.Bytes()
	if err != nil {
		return result{}, err
	}
	copies, quantized := make([]byte, len(data)), make([]byte, len(data)/4)
	// The first touch of memory is not what is compared.
	clear(copies)
	clear(quantized)
	// share has every thread do its part of n.
	share := func(n int, do func(from, to int)) {
		var group sync.WaitGroup
		for i := range threads {
			group.Go(func() { do(n*i/threads, n*(i+1)/threads) })
		}
		group.Wait()
	}
	list := []*contestant{
		{name: copiedInMemory, work: func(context.Context) (time.Duration, error) {
			begin := time.Now()
			share(len(data), func(from, to int) { copy(copies[from:to], data[from:to]) })
			return time.Since(begin), nil
		}},
		{name: quantizedInMemory, work: func(context.Context) (time.Duration, error) {
			begin := time.Now()
			w := &quantops.Weights{Data: data, Batch: 1, Rows: rows, Columns: columns, Axis: quantops.AlongColumns}
			measurement := quantops.NewMeasurement(w, quantops.Scheme{})
			share(threads, func(_, _ int) { measurement.Help() })
			scales, err := measurement.Join()
			if err != nil {
				return 0, err
			}
			quantization := quantops.NewQuantization(quantized, w, scales)
			share(threads, func(_, _ int) { quantization.Help() })
			return time.Since(begin), nil
		}},
	}
	watch := watchOthers()
	contest(ctx, list, p)
	r := result{Work: fmt.Sprintf("in memory, %d threads", threads), Threads: threads, Bytes: int64(len(data))}
	r.Others = watch.share()
	m := mark{quantizedInMemory, copiedInMemory, 0}
	if threads == 2 {
		m.least = 0.7
	}
	r.fill(list, []mark{m})
	return r, ctx.Err()
}
