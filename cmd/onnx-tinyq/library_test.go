package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/rewrite"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// quantize is the README's example of the library; TestReadme keeps them equal.
func quantize(ctx context.Context, from, to string) error {
	model, err := onnx.Open(from)
	if err != nil {
		return err
	}
	defer model.Close()

	plan, err := rewrite.New(model, rewrite.Recipe{Activations: rewrite.W8A32})
	if err != nil {
		return err
	}
	for _, skip := range plan.Skips {
		fmt.Println("left alone:", skip.Node, "because", skip.Reason)
	}
	result, err := plan.Apply(ctx) // a new model; int8 weights are made while it is written
	if err != nil {
		return err
	}

	feeds, err := runtime.MakeFeeds(model, runtime.FeedOptions{Seed: 1})
	if err != nil {
		return err
	}
	report, err := runtime.Compare(ctx, model, result.Model, runtime.CompareOptions{
		Feeds: []map[string]tensor.Value{feeds},
	})
	if err != nil {
		return err
	}
	if !report.Within {
		return fmt.Errorf("too far apart: %v", report.Reasons)
	}
	return onnx.WriteFile(to, result.Model, onnx.WriteOptions{})
}

func Example_library() {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	from := filepath.Join("..", "..", "testdata", "models", "overridable_initializer_ir8", "model.onnx")
	if err := quantize(context.Background(), from, filepath.Join(folder, "model.onnx")); err != nil {
		log.Fatal(err)
	}
	// Output:
	// left alone: t because its weight "w" is also an input of the model, so a caller may replace it; take it out of the inputs to have it quantized
}

// TestReadme keeps the README's example equal to the code that is tested here,
// and its test command equal to the one that CI runs.
func TestReadme(t *testing.T) {
	readme := string(read(t, filepath.Join("..", "..", "README.md")))
	_, example, found := strings.Cut(readme, "```go\n")
	example, _, closed := strings.Cut(example, "```\n")
	if !found || !closed {
		t.Fatal("the README has no example in Go")
	}
	if source := string(read(t, "library_test.go")); !strings.Contains(source, example) {
		t.Errorf("the README's example is not a part of library_test.go:\n%s", example)
	}
	ci := string(read(t, filepath.Join("..", "..", ".ci", "run")))
	for _, command := range []string{
		"go run ./cmd/onnx-tinyq rewrite testdata/models/digits_vit/model.onnx",
		"go test ./...",
	} {
		if !strings.Contains(readme, "\n"+command+"\n") {
			t.Errorf("the README does not have the command %q", command)
		}
		if !strings.Contains(ci, command) {
			t.Errorf(".ci/run does not run the README's command %q", command)
		}
	}
}
