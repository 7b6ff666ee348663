package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"slices"
	"time"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/rewrite"
	"github.com/onnx-tinyq/onnx-tinyq/runtime"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// engine runs models.
type engine int

const (
	ourExecutor engine = iota
	onnxRuntime
	gorgoniaEngine // behind onnx-go
	gomlxEngine    // its backend in plain Go
)

// way is one of the ways in which a model can be run.
type way struct {
	name    string
	recipe  rewrite.Activations // "": the original
	engine  engine
	fast    bool              // ours: Options.Fast
	entries map[string]string // of the peer's session options
	agrees  string            // the way whose results these have to be close to; it comes before
	apart   float64           // how close: relative L2 distance
}

// The ways that marks are set for. "ORT folded" is ONNX Runtime's exact way to
// run the rewritten model: it computes the float weights when it loads it.
const (
	peerFloat    = "ORT float32"
	peerFolded   = "ORT folded"
	peerInt8     = "ORT int8"
	peerW8A8     = "ORT W8A8"
	peerGorgonia = "onnx-go, Gorgonia float32"
	peerGomlx    = "gomlx float32"
	oursFloat    = "ours float32"
	oursExact    = "ours exact"
	oursFast     = "ours fast"
	oursV16      = "ours W8A16"
	oursW8A8     = "ours W8A8"
)

// ways lists them. ONNX Runtime's default quantizes activations, with an error
// that adds up from layer to layer; that of V16 and of flipped roundings does too.
// W8A8 is held to the float model in both: where the processor has no VNNI, ONNX
// Runtime's sums of two products saturate at 16 bits, and ours are exact.
var ways = []way{
	{name: peerFloat, engine: onnxRuntime},
	{name: peerFolded, recipe: rewrite.W8A32, engine: onnxRuntime, entries: map[string]string{"session.disable_quant_qdq": "1"}, agrees: peerFloat, apart: 0.2},
	{name: peerInt8, recipe: rewrite.W8A32, engine: onnxRuntime, agrees: peerFolded, apart: 0.2},
	{name: peerW8A8, recipe: rewrite.W8A8, engine: onnxRuntime, agrees: peerFloat, apart: 0.3},
	{name: peerGorgonia, engine: gorgoniaEngine, agrees: peerFloat, apart: 1e-4},
	{name: peerGomlx, engine: gomlxEngine, agrees: peerFloat, apart: 1e-4},
	{name: oursFloat, agrees: peerFloat, apart: 1e-4},
	{name: oursExact, recipe: rewrite.W8A32, agrees: peerFolded, apart: 1e-4},
	{name: oursFast, recipe: rewrite.W8A32, fast: true, agrees: peerFolded, apart: 1e-2},
	{name: oursV16, recipe: rewrite.W8A16, agrees: peerFolded, apart: 2e-2},
	{name: oursW8A8, recipe: rewrite.W8A8, agrees: peerFloat, apart: 0.3},
}

// mark is a ratio to be reached: a peer's time by ours.
type mark struct {
	ours, peer string
	least      float64 // 0: shown only
}

// work is what the executors are compared with each other in.
type work struct {
	name   string
	model  func() (*onnx.Model, error)
	shapes map[string][]int
	ops    []string // what is rewritten in it
	ways   []string
	marks  []mark
	create bool // making the session is timed, not running it
}

// comparison is how executors are compared.
type comparison struct {
	folder   string // for the models
	threads  []int
	pace     pace
	profiles string         // folder for profiles; "": none
	ways     *regexp.Regexp // which of each work's; nil: all
	only     *regexp.Regexp
	log      io.Writer
}

// run makes a result for each number of threads and each work that is asked for.
func (c *comparison) run(ctx context.Context, list []work) ([]result, error) {
	var results []result
	for _, w := range list {
		if !c.only.MatchString(w.name) {
			continue
		}
		w.ways = c.chosen(w.ways)
		some, err := c.contests(ctx, w)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		results = append(results, some...)
	}
	if len(results) == 0 {
		return nil, fmt.Errorf("nothing that --only asks for: there are %q", names(list))
	}
	return results, nil
}

// chosen are the ways that are asked for, and those that they are held to.
func (c *comparison) chosen(all []string) (list []string) {
	for i := len(ways) - 1; i >= 0; i-- { // what a way is held to comes before it
		name := ways[i].name
		if !slices.Contains(all, name) {
			continue
		}
		wanted := c.ways == nil || c.ways.MatchString(name)
		for _, w := range ways {
			wanted = wanted || w.agrees == name && slices.Contains(list, w.name)
		}
		if wanted {
			list = append(list, name)
		}
	}
	return list
}

func names(list []work) (names []string) {
	for _, w := range list {
		names = append(names, w.name)
	}
	return names
}

// contests compares executors in one work, with each number of threads.
func (c *comparison) contests(ctx context.Context, w work) (results []result, err error) {
	folder, err := os.MkdirTemp(c.folder, "executor")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	files, missing := w.files(ctx, folder)
	for _, threads := range c.threads {
		fmt.Fprintf(c.log, "%s, threads: %d\n", w.name, threads)
		r := result{Work: w.name, Threads: threads}
		if missing != nil {
			r.Failure = missing.Error()
		} else {
			c.contest(ctx, w, files, &r)
		}
		r.print(c.log) // if this is the end, with what there is by now
		results = append(results, r)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// contest compares executors in one work with one number of threads. Neither
// the executors in Go nor the garbage collector get more.
func (c *comparison) contest(ctx context.Context, w work, files *modelFiles, r *result) {
	defer goruntime.GOMAXPROCS(goruntime.GOMAXPROCS(r.Threads))
	var list []*contestant
	found := map[string][][]float32{}
	for _, way := range ways {
		if !w.has(way.name) {
			continue
		}
		one := &contestant{name: way.name}
		list = append(list, one)
		if w.create {
			one.work = func(context.Context) (time.Duration, error) { return files.create(way, r.Threads) }
			continue
		}
		s, err := files.open(way, r.Threads)
		if err != nil {
			one.failure = err
			continue
		}
		defer s.close()
		one.work = func(context.Context) (time.Duration, error) {
			begin := time.Now()
			err := s.run()
			return time.Since(begin), err
		}
		one.failure = one.verify(way, s, found)
	}
	watch := watchOthers()
	contest(ctx, list, c.pace)
	r.Others = watch.share()
	if c.profiles != "" {
		c.profile(ctx, w, list, r.Threads)
	}
	r.fill(list, w.marks)
}

func (w work) has(name string) bool {
	return slices.Contains(w.ways, name)
}

// verify runs a session and holds its results to those of another way: a wrong
// answer is not timed.
func (c *contestant) verify(w way, s session, found map[string][][]float32) error {
	if err := s.run(); err != nil {
		return err
	}
	results, err := s.results()
	if err != nil {
		return err
	}
	copies := make([][]float32, len(results))
	for i, r := range results {
		copies[i] = append([]float32(nil), r...)
	}
	found[w.name] = copies
	if w.agrees == "" {
		return nil
	}
	other, ok := found[w.agrees]
	if !ok {
		return nil // it takes no part here, or could not run, which is shown
	}
	c.agrees = w.agrees
	if c.apart, err = distance(copies, other); err != nil {
		return fmt.Errorf("compared with %s: %w", w.agrees, err)
	}
	if c.apart > w.apart {
		return fmt.Errorf("its results are %.2g away from those of %s, more than %.2g", c.apart, w.agrees, w.apart)
	}
	return nil
}

// session is a model in one of the executors.
type session interface {
	run() error
	results() ([][]float32, error)
	close()
}

// modelFiles are a model and what the recipes make of it, on disk.
type modelFiles struct {
	paths           map[rewrite.Activations]string
	inputs, outputs []string
	feeds           map[string]tensor.Value
}

// files writes the model in each form that the work's ways need.
func (w work) files(ctx context.Context, folder string) (*modelFiles, error) {
	m, err := w.model()
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if _, err := onnx.Check(m); err != nil {
		return nil, err
	}
	f := &modelFiles{paths: map[rewrite.Activations]string{}}
	f.inputs, f.outputs = portNames(m)
	if f.feeds, err = runtime.MakeFeeds(m, runtime.FeedOptions{Shapes: w.shapes, Seed: 1}); err != nil {
		return nil, err
	}
	for _, way := range ways {
		if _, made := f.paths[way.recipe]; made || !w.has(way.name) {
			continue
		}
		written := m
		if way.recipe != "" {
			if written, err = w.rewritten(ctx, m, way.recipe); err != nil {
				return nil, err
			}
		}
		path := filepath.Join(folder, "model."+string(way.recipe)+".onnx")
		if err := onnx.WriteFile(path, written, onnx.WriteOptions{NoSync: true}); err != nil {
			return nil, err
		}
		f.paths[way.recipe] = path
	}
	return f, nil
}

func (w work) rewritten(ctx context.Context, m *onnx.Model, recipe rewrite.Activations) (*onnx.Model, error) {
	plan, err := rewrite.New(m, rewrite.Recipe{Activations: recipe, Ops: w.ops, MinBytes: 1024})
	if err != nil {
		return nil, err
	}
	made, err := plan.Apply(ctx)
	if err != nil {
		return nil, err
	}
	if len(made.Sites) == 0 {
		return nil, errors.New("nothing in the model was rewritten")
	}
	return made.Model, nil
}

func (f *modelFiles) open(w way, threads int) (session, error) {
	path := f.paths[w.recipe]
	switch w.engine {
	case gorgoniaEngine:
		return newGorgoniaSession(path, f.inputs, f.feeds)
	case gomlxEngine:
		return newGomlxSession(path, f.inputs, f.feeds)
	case onnxRuntime:
		s, err := newPeerSession(path, f.inputs, f.outputs, threads, w.entries)
		if err != nil {
			return nil, err
		}
		if err := s.feed(f.inputs, f.feeds); err != nil {
			s.close()
			return nil, err
		}
		return s, nil
	}
	s, err := newOurSession(path, runtime.Options{Threads: threads, Fast: w.fast})
	if err != nil {
		return nil, err
	}
	s.feeds = f.feeds
	return s, nil
}

// create times the way from a file to a session that is ready to run.
func (f *modelFiles) create(w way, threads int) (time.Duration, error) {
	begin := time.Now()
	if w.engine == onnxRuntime {
		s, err := newPeerSession(f.paths[w.recipe], f.inputs, f.outputs, threads, w.entries)
		if err != nil {
			return 0, err
		}
		defer s.close()
		return time.Since(begin), nil
	}
	_, err := newOurSession(f.paths[w.recipe], runtime.Options{Threads: threads, Fast: w.fast})
	return time.Since(begin), err
}
