package main

import (
	"fmt"
	"io"

	"github.com/onnx-tinyq/onnx-tinyq/rewrite"
)

// printVerdicts says what runtimes will do with the layers, those of one fate together.
func (r *rewriteReport) printVerdicts(out io.Writer) {
	t := newTable("runtime", "layers", "what it will do with them")
	rightAlign(t, 2)
	for _, runtime := range rewrite.Runtimes() {
		layers := map[string]int{}
		var verdicts []string
		for _, s := range r.Sites {
			verdict, given := s.Verdicts[runtime]
			if given && layers[verdict] == 0 {
				verdicts = append(verdicts, verdict)
			}
			layers[verdict]++
		}
		for _, verdict := range verdicts {
			t.AppendRow([]any{runtime, layers[verdict], verdict})
		}
	}
	if t.Length() > 0 {
		fmt.Fprintf(out, "\n%s", render(t))
	}
}
