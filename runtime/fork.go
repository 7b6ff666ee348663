package runtime

import "slices"

// fork is a stretch of a plan's steps that divide into branches, none of which
// reads what another makes. Where steps are too small to be divided themselves,
// branches may run side by side.
type fork struct {
	first, end int // of the plan's steps
	branches   [][]*step
}

// longestFork bounds the steps of a fork, so that to find all of a plan takes time
// in proportion to its length.
const longestFork = 512

// forksOf finds the forks of a plan, in their order.
func forksOf(steps []*step) []fork {
	f := &forkFinder{steps: steps, makers: map[int]int{}}
	for i, st := range steps {
		for !f.take(i) {
		}
		for _, slot := range st.out {
			if slot != absent {
				f.makers[slot] = i
			}
		}
	}
	f.emit(len(steps))
	return f.forks
}

// forkFinder goes through steps in order. It keeps a stretch of them, and for each
// of these the branch that it belongs to.
type forkFinder struct {
	steps    []*step
	makers   map[int]int // by slot the step that gives it
	first    int         // of the stretch
	branches []forkBranch
	branchOf []int // of the stretch's steps; branches that were joined refer to the other
	forks    []fork
}

// forkBranch is a branch under way.
type forkBranch struct {
	works  bool // some of its steps are not remembered from the run before
	last   int  // of these
	joined int  // the branch that it has become part of, or itself
}

func (f *forkFinder) root(branch int) int {
	for f.branches[branch].joined != branch {
		branch = f.branches[branch].joined
	}
	return branch
}

// working counts the branches that do something in every run.
func (f *forkFinder) working() (count int) {
	for i, b := range f.branches {
		if b.joined == i && b.works {
			count++
		}
	}
	return count
}

// take adds a step to the stretch; false means that the stretch was made shorter
// at its beginning or is a new one, so that it is to be tried again.
func (f *forkFinder) take(i int) bool {
	st := f.steps[i]
	if !st.branchable() {
		f.emit(i)
		f.restart(i + 1)
		return true
	}
	from, latest := f.reads(i)
	works, end := 0, 0
	for _, branch := range from {
		if b := f.branches[branch]; b.works {
			works, end = works+1, b.last
		}
	}
	switch count := f.working(); {
	case works > 1, i-f.first >= longestFork && count > 1:
		f.emit(i)
		f.restart(i)
		return false
	case count == 1 && works == 1 && latest < end:
		// What is read is not the end of the one branch: from there on there are two.
		f.shorten(latest+1, i)
		return false
	case i-f.first >= longestFork:
		f.shorten(i-longestFork/2, i)
		return false
	}
	f.append(i, from)
	return true
}

// reads gives the branches that a step reads from, and the last step of those that
// work from which it reads.
func (f *forkFinder) reads(i int) (from []int, latest int) {
	for _, slot := range f.steps[i].in {
		maker, ok := f.makers[slot]
		if slot == absent || !ok || maker < f.first {
			continue
		}
		branch := f.root(f.branchOf[maker-f.first])
		if !slices.Contains(from, branch) {
			from = append(from, branch)
		}
		if f.branches[branch].works {
			latest = max(latest, maker)
		}
	}
	return from, latest
}

// append adds a step that reads from branches, which it joins, or begins one.
func (f *forkFinder) append(i int, from []int) {
	if len(from) == 0 {
		from = []int{len(f.branches)}
		f.branches = append(f.branches, forkBranch{joined: len(f.branches)})
	}
	whole := forkBranch{joined: from[0]}
	for _, branch := range from {
		b := &f.branches[branch]
		whole.works, whole.last, b.joined = whole.works || b.works, max(whole.last, b.last), from[0]
	}
	if f.steps[i].memo == 0 {
		whole.works, whole.last = true, i
	}
	f.branches[from[0]] = whole
	f.branchOf = append(f.branchOf, from[0])
}

func (f *forkFinder) restart(first int) {
	f.first, f.branches, f.branchOf = first, f.branches[:0], f.branchOf[:0]
}

// shorten leaves of the stretch what begins at first and ends before end.
func (f *forkFinder) shorten(first, end int) {
	f.restart(first)
	for i := first; i < end; i++ {
		from, _ := f.reads(i)
		f.append(i, from)
	}
}

// emit makes a fork of the stretch, which ends before end, if there are branches.
func (f *forkFinder) emit(end int) {
	if f.working() < 2 {
		return
	}
	made := fork{first: f.first, end: end}
	place := map[int]int{}
	for k, branch := range f.branchOf {
		root := f.root(branch)
		at, ok := place[root]
		if !ok {
			at = len(made.branches)
			place[root] = at
			made.branches = append(made.branches, nil)
		}
		made.branches[at] = append(made.branches[at], f.steps[f.first+k])
	}
	f.forks = append(f.forks, made)
}

// branchable says whether a step may be one of a branch: not if it runs graphs of its
// own, keeps account of memory itself, or draws random numbers, which come in the
// order of the steps.
func (st *step) branchable() bool {
	return len(st.node.Bodies()) == 0 && len(st.captured) == 0 && !st.accounts && deterministic(st.node)
}
