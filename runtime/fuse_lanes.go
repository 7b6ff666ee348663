package runtime

import (
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/internal/ops"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// lanes makes one step of packed convolutions and pools of which each alone reads
// the one before:
//
//	Conv → (MaxPool, Conv)…
//
// which small images in large batches go through together. See ops.LaneChain. It
// reports whether there was one.
func (f *fuser) lanes() bool {
	if len(f.packedConvs) == 0 {
		return false
	}
	users := f.users()
	taken := map[*step]bool{}
	for _, first := range f.scope.plan.steps {
		if taken[first] || f.packedConvs[first] == nil {
			continue
		}
		chain := []*step{first}
		for {
			next := f.laneAfter(chain[len(chain)-1], users)
			if next == nil {
				break
			}
			chain = append(chain, next)
		}
		for _, st := range chain {
			taken[st] = true
		}
		f.laneChain(chain)
	}
	return true
}

// laneAfter is the step that goes on with a chain; nil if there is none.
func (f *fuser) laneAfter(st *step, users map[int][]*step) *step {
	if len(st.out) != 1 || f.readers[st.out[0]] != 1 || len(users[st.out[0]]) != 1 {
		return nil
	}
	next := users[st.out[0]][0]
	if len(next.in) == 0 || next.in[0] != st.out[0] || next.packed && f.packedConvs[next] == nil {
		return nil
	}
	if f.packedConvs[next] != nil || f.lanePool(next) != nil {
		return next
	}
	return nil
}

func (f *fuser) lanePool(st *step) *ops.LanePool {
	if !isOperator(st.node, "MaxPool") || !plain(st) {
		return nil
	}
	return ops.NewLanePool(&ops.Node{Node: st.node, Opset: int(f.scope.compiler.inlined.opset(st.node))})
}

// laneChain makes the last step of a chain compute all of it.
func (f *fuser) laneChain(steps []*step) {
	chain := &ops.LaneChain{}
	last := steps[len(steps)-1]
	for _, st := range steps {
		alone := st.run
		if st != last {
			node := st.node
			alone = func(c *ops.Call, in []tensor.Value) ([]tensor.Value, error) {
				results, err := st.run(c, in)
				if err != nil {
					return nil, fmt.Errorf("computed with node %s before it: %w", nodeLabel(node), err)
				}
				return results, nil
			}
		}
		stage := ops.LaneStage{Conv: f.packedConvs[st], Alone: alone}
		if stage.Conv == nil {
			stage.Pool = f.lanePool(st)
		}
		chain.Stages = append(chain.Stages, stage)
	}
	for _, slot := range last.in {
		if slot != absent {
			f.readers[slot]--
		}
	}
	in := slices.Clone(steps[0].in[:1])
	f.readers[in[0]]++
	for _, st := range steps {
		st.packed = true
	}
	last.in, last.accounts = in, true
	last.run = func(c *ops.Call, in []tensor.Value) ([]tensor.Value, error) {
		x, ok := in[0].(*tensor.Tensor)
		if !ok {
			return nil, errNoTensor(in[0])
		}
		y, err := chain.Run(c, x)
		return []tensor.Value{y}, err
	}
}
