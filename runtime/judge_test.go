package runtime

import (
	"reflect"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// TestJudgeWithoutRoom judges sites whose sessions are let go of after each run
// as it does those that are kept.
func TestJudgeWithoutRoom(t *testing.T) {
	w := ramp(24, 16)
	original := modelOf(17, graphOf(inputX, "y", []*onnx.Node{node("MatMul", "x,w", "y")}, stored(t, "w", w)))
	rewritten := modelOf(17, graphOf(inputX, "y", []*onnx.Node{dequantizing("w", 1), node("MatMul", "x,w_d", "y")}, quantizeColumns(w).initializers("w", 24, 16)...))
	judgeWith := func(room int) (*siteJudge, []SiteReport) {
		before, err := inline(original)
		if err != nil {
			t.Fatal(err)
		}
		after, err := inline(rewritten)
		if err != nil {
			t.Fatal(err)
		}
		j, err := newJudge(before, after, 1)
		if err != nil {
			t.Fatal(err)
		}
		j.room = room
		o := CompareOptions{Feeds: []map[string]tensor.Value{{"x": ramp(5, 24)}, {"x": ramp(3, 24)}}}
		if _, err := runAll(t.Context(), before, o, judged{literal: true, trace: func(n *onnx.Node, in, out []tensor.Value) { j.see(t.Context(), n, in, out) }}); err != nil {
			t.Fatal(err)
		}
		return j, j.reports()
	}
	size := 2 * 4 * w.Len()
	kept, want := judgeWith(size)
	released, got := judgeWith(size - 1)
	if len(want) != 1 || kept.sites[0].runs != 2 || want[0].BoundHeld == nil || !reflect.DeepEqual(got, want) {
		t.Errorf("without room: %+v\nwith it: %+v", got, want)
	}
	if kept.sites[0].session == nil || kept.room != 0 || released.sites[0].session != nil || released.room != size-1 {
		t.Errorf("with room for it a session is kept: %v, without it is: %v", kept.sites[0].session != nil, released.sites[0].session != nil)
	}
}
