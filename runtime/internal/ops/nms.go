package ops

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

func buildNonMaxSuppression(n *Node) (single, error) {
	centered := n.Int("center_point_box", 0) != 0
	return func(_ *Call, in []*tensor.Tensor) (*tensor.Tensor, error) {
		s := suppression{}
		var err error
		if t := operand(in, 2); t != nil && t.Len() > 0 {
			if s.most, err = wholeNumber(t); err != nil {
				return nil, fmt.Errorf("max_output_boxes_per_class: %w", err)
			}
		}
		for _, threshold := range []struct {
			name  string
			t     *tensor.Tensor
			value **float32
		}{{"iou_threshold", operand(in, 3), &s.overlap}, {"score_threshold", operand(in, 4), &s.score}} {
			if threshold.t == nil || threshold.t.Len() == 0 {
				continue
			}
			list, err := reals[float32](threshold.t)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", threshold.name, err)
			}
			*threshold.value = &list[0]
		}
		return s.run(in[0], in[1], centered)
	}, nil
}

// suppression is what NonMaxSuppression's operands ask for.
type suppression struct {
	most           int      // boxes for each class of each image
	overlap, score *float32 // nil: 0, and no threshold
}

// run selects from boxes (N, boxes, 4), by their scores (N, classes, boxes),
// and gives rows of image, class and box. Boxes are y1, x1, y2, x2 of any two
// opposite corners or, centered, x, y, width, height.
func (s suppression) run(boxes, scores *tensor.Tensor, centered bool) (*tensor.Tensor, error) {
	b, p := boxes.Shape(), scores.Shape()
	if len(b) != 3 || len(p) != 3 || b[0] != p[0] || b[1] != p[2] || b[2] != 4 {
		return nil, fmt.Errorf("boxes %v and scores %v: want (N, boxes, 4) and (N, classes, boxes)", b, p)
	}
	in, err := allReals[float32](boxes, scores)
	if err != nil {
		return nil, err
	}
	corners := make([]box, b[0]*b[1])
	for i := range corners {
		corners[i] = newBox(in[0][4*i:][:4], centered)
	}
	selected := []int64{}
	if b[1] == 0 {
		return tensor.New([]int{0, 3}, selected), nil
	}
	for image := range b[0] {
		for class := range p[1] {
			own := corners[image*b[1]:][:b[1]]
			for _, i := range s.selectBoxes(own, in[1][(image*p[1]+class)*b[1]:][:b[1]]) {
				selected = append(selected, int64(image), int64(class), int64(i))
			}
		}
	}
	return tensor.New([]int{len(selected) / 3, 3}, selected), nil
}

// selectBoxes takes boxes by falling score, the first of equals first, and
// leaves out each that overlaps one taken before by more than the threshold.
func (s suppression) selectBoxes(boxes []box, scores []float32) []int {
	var candidates []int
	for i, score := range scores {
		if s.score == nil || score > *s.score {
			candidates = append(candidates, i)
		}
	}
	slices.SortStableFunc(candidates, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	var threshold float32
	if s.overlap != nil {
		threshold = *s.overlap
	}
	var taken []int
	for _, i := range candidates {
		if len(taken) >= s.most {
			break
		}
		if !slices.ContainsFunc(taken, func(other int) bool { return boxes[i].overlap(boxes[other]) > threshold }) {
			taken = append(taken, i)
		}
	}
	return taken
}

// box is a box by its least and its greatest corner.
type box struct{ x1, y1, x2, y2 float32 }

func newBox(v []float32, centered bool) box {
	if centered {
		return box{v[0] - v[2]/2, v[1] - v[3]/2, v[0] + v[2]/2, v[1] + v[3]/2}
	}
	return box{min(v[1], v[3]), min(v[0], v[2]), max(v[1], v[3]), max(v[0], v[2])}
}

// overlap is the intersection of two boxes over their union; it is negative,
// and so below any threshold, for boxes that do not meet or are empty.
func (b box) overlap(o box) float32 {
	width, height := min(b.x2, o.x2)-max(b.x1, o.x1), min(b.y2, o.y2)-max(b.y1, o.y1)
	if width <= 0 || height <= 0 {
		return -1
	}
	both := width * height
	own, others := (b.x2-b.x1)*(b.y2-b.y1), (o.x2-o.x1)*(o.y2-o.y1)
	union := own + others - both
	if both <= 0 || own <= 0 || others <= 0 || union <= 0 {
		return -1
	}
	return both / union
}
