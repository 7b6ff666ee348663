package runtime

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
	"github.com/onnx-tinyq/onnx-tinyq/runtime/tensor"
)

// stepsOf makes steps of a text such as "x>a a,b>c": what each reads and gives. One
// that ends with a question mark has results that are remembered, one that ends
// with an exclamation mark may be in no branch.
func stepsOf(text string) []*step {
	slots := map[string]int{}
	numbers := func(names string) (list []int) {
		for name := range strings.SplitSeq(names, ",") {
			if _, ok := slots[name]; !ok {
				slots[name] = len(slots)
			}
			list = append(list, slots[name])
		}
		return list
	}
	var steps []*step
	for _, word := range strings.Fields(text) {
		st := &step{node: &onnx.Node{OpType: "Neg", Name: word}}
		bare := strings.TrimRight(word, "?!")
		if st.accounts = strings.HasSuffix(word, "!"); strings.HasSuffix(word, "?") {
			st.memo = 1 + len(steps)
		}
		in, out, _ := strings.Cut(bare, ">")
		st.in, st.out = numbers(in), numbers(out)
		steps = append(steps, st)
	}
	return steps
}

func TestForks(t *testing.T) {
	for _, c := range []struct{ name, steps, want string }{
		{"a chain", "x>a a>b b>c", ""},
		{"queries, keys and values", "x>n n>q n>k n>v q,k>s s>p p,v>y", "n>q | n>k | n>v"},
		{"a residual branch", "x>s s>a a>b b>c s>d c,d>y y>z", "s>a a>b b>c | s>d"},
		{"branches in turns", "x>a x>b a>c b>d c,d>y", "x>a a>c | x>b b>d"},
		{"one after the other", "x>a x>b a,b>c c>d c>e d,e>y", "x>a | x>b ; c>d | c>e"},
		{"a part of a branch", "x>a x>b a>c a>d b,c>e d,e>y", "x>a a>c a>d | x>b"},
		{"shapes are no branch", "x>a a>s? s>t? a,t>b b>c", ""},
		{"shapes belong to what reads them", "x>a a>s? a,s>p x>b b,s>q p,q>y", "x>a a>s? a,s>p | x>b"},
		{"a step that stands alone", "x>a x>b! x>c x>d c,d>y", "x>c | x>d"},
		{"several results", "x>a,b a>c b>d c,d>y", "a>c | b>d"},
		{"the end is one", "x>a a>b a>c", "a>b | a>c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var forks []string
			for _, f := range forksOf(stepsOf(c.steps)) {
				var branches []string
				for _, branch := range f.branches {
					var names []string
					for _, st := range branch {
						names = append(names, st.node.Name)
					}
					branches = append(branches, strings.Join(names, " "))
				}
				forks = append(forks, strings.Join(branches, " | "))
			}
			if got := strings.Join(forks, " ; "); got != c.want {
				t.Errorf("the forks are %q, want %q", got, c.want)
			}
		})
	}
}

// TestForksOfRandomPlans: branches are what a fork's steps divide into, and none
// reads what another makes.
func TestForksOfRandomPlans(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	found := 0
	for range 300 {
		var words []string
		near := 1 + random.IntN(30)
		for i := range 1 + random.IntN(200) {
			var reads []string
			for range 1 + random.IntN(2) {
				reads = append(reads, fmt.Sprint("v", max(0, i-random.IntN(near))))
			}
			words = append(words, strings.Join(reads, ",")+fmt.Sprint(">v", i+1)+[]string{"", "", "", "?", "!"}[random.IntN(5)])
		}
		steps, until := stepsOf(strings.Join(words, " ")), 0
		for _, f := range forksOf(steps) {
			found++
			if f.first < until || f.end > len(steps) || len(f.branches) < 2 || f.end-f.first > longestFork {
				t.Fatalf("a fork from %d to %d with %d branches after one that ends at %d", f.first, f.end, len(f.branches), until)
			}
			until = f.end
			branchOf, makers := map[*step]int{}, map[int]int{}
			for i, branch := range f.branches {
				for _, st := range branch {
					branchOf[st] = i
				}
			}
			if len(branchOf) != f.end-f.first {
				t.Fatalf("%d steps are in branches, of %d", len(branchOf), f.end-f.first)
			}
			for _, st := range steps[f.first:f.end] {
				own, ok := branchOf[st]
				if !ok || st.accounts {
					t.Fatalf("%s: in a branch: %t", st.node.Name, ok)
				}
				for _, slot := range st.in {
					if other, ok := makers[slot]; ok && other != own {
						t.Fatalf("%s reads from another branch", st.node.Name)
					}
				}
				for _, slot := range st.out {
					makers[slot] = own
				}
			}
		}
	}
	if found < 300 {
		t.Errorf("only %d forks were looked at", found)
	}
}

// branching is a model with so many branches, each of which multiplies and moves
// by shapes that are computed.
func branching(t testing.TB, branches, length, width int) *onnx.Model {
	var nodes []*onnx.Node
	initializers := []*onnx.Tensor{stored(t, "last", tensor.New([]int{1}, []int64{-1}))}
	var ends []string
	for b := range branches {
		before := "x"
		for i := range length {
			at := func(name string) string { return fmt.Sprintf("%s%d_%d", name, b, i) }
			initializers = append(initializers, stored(t, at("w"), ramp(width, width)))
			nodes = append(nodes,
				node("MatMul", before+","+at("w"), at("m")), node("Tanh", at("m"), at("t")), node("Shape", at("t"), at("s")),
				node("Reshape", at("t")+",last", at("flat")), node("Neg", at("flat"), at("n")), node("Reshape", at("n")+","+at("s"), at("y")))
			before = at("y")
		}
		ends = append(ends, before)
	}
	nodes = append(nodes, node("Concat", strings.Join(ends, ","), "y", onnx.IntAttr("axis", 0)))
	return modelOf(17, graphOf([]*onnx.Value{value("x", floatType(-1, int64(width)))}, "y", nodes, initializers...))
}

// besides says how many forks of a session at rest ran side by side.
func besides(s *Session) (count int) {
	for _, r := range s.rooms {
		for _, f := range r.frame.forks {
			if f.runs > 0 && f.beside < never {
				count++
			}
		}
	}
	return count
}

func TestBranchesSideBySide(t *testing.T) {
	const width = 24
	m := branching(t, 5, 3, width)
	s := overwriting(t, m)
	alone, err := Compile(m, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * forkTrials {
		in := feeds{"x": ramp([]int{7, 7, 7, 7, 9, 30}[i%6], width)}
		want, err := alone.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "y", got["y"], want["y"])
	}
	if besides(s) == 0 {
		t.Error("no branches have run side by side")
	}
	if besides(alone) > 0 {
		t.Error("branches have run side by side on one thread")
	}
}

// TestBranchFails: the error is the one that there is without branches, and the
// session goes on.
func TestBranchFails(t *testing.T) {
	m := modelOf(17, graphOf([]*onnx.Value{value("x", floatType(-1)), value("to", typed(onnx.Int64, 1))}, "y,z", []*onnx.Node{
		node("Neg", "x", "a"), node("Reshape", "a,to", "y"), node("Exp", "x", "b"), node("Reshape", "b,to", "z"),
	}))
	s, alone := overwriting(t, m), (*Session)(nil)
	alone, err := Compile(m, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 * forkTrials {
		in := feeds{"x": ramp(700), "to": tensor.New([]int{1}, []int64{int64(700 + i%3/2)})}
		want, wantErr := alone.Run(t.Context(), in)
		got, err := s.Run(t.Context(), in)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("run %d: %v, want %v", i, err, wantErr)
		}
		if err == nil {
			same(t, "y", got["y"], want["y"])
			same(t, "z", got["z"], want["z"])
		}
	}
}

// TestBranchesWithinMemory: what is allowed for a run decides of it as it does on
// one thread.
func TestBranchesWithinMemory(t *testing.T) {
	m := branching(t, 3, 2, 32)
	in := feeds{"x": ramp(64, 32)}
	outcomes := map[bool]int{}
	for limit := int64(10_000); limit < 300_000; limit += 7_000 {
		var fits [2]bool
		for threads := 1; threads <= 2; threads++ {
			s, err := Compile(m, Options{Threads: threads, Memory: limit})
			if err != nil {
				t.Fatal(err)
			}
			for i := range forkTrials {
				_, err := s.Run(t.Context(), in)
				if i > 0 && (err == nil) != fits[threads-1] {
					t.Fatalf("%d threads, %d bytes: run %d: %v", threads, limit, i, err)
				}
				fits[threads-1] = err == nil
			}
		}
		if fits[0] != fits[1] {
			t.Errorf("%d bytes are enough on one thread: %t, on two: %t", limit, fits[0], fits[1])
		}
		outcomes[fits[0]]++
	}
	if len(outcomes) < 2 {
		t.Errorf("the limits make no difference: %v", outcomes)
	}
}

// BenchmarkBranches has steps that are too small to be divided.
func BenchmarkBranches(b *testing.B) {
	for _, shape := range [][3]int{{2, 12, 64}, {4, 6, 128}, {4, 6, 256}} {
		m := branching(b, shape[0], shape[1], shape[2])
		for threads := 1; threads <= 2; threads++ {
			b.Run(fmt.Sprintf("%d×%d,width=%d/threads=%d", shape[0], shape[1], shape[2], threads), func(b *testing.B) {
				s, err := Compile(m, Options{Threads: threads})
				if err != nil {
					b.Fatal(err)
				}
				in := feeds{"x": ramp(2, shape[2])}
				for b.Loop() {
					out, err := s.Run(b.Context(), in)
					if err != nil {
						b.Fatal(err)
					}
					s.Recycle(out)
				}
			})
		}
	}
}
