package runtime

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// wholeSetShare is how much of the onnx package's whole set must pass.
const wholeSetShare = 0.98

// randomReason begins the reason of a gap whose expected values come from a
// random generator: there is nothing in the standard that a run could agree
// with, so such a case counts as unsupported however its run ends.
const randomReason = "random: "

// TestWholeSet runs every test that the onnx Python package brings along: those
// that it generates for the operators and the models that it stores. A case
// passes, or is unsupported and listed with the reason among the gaps.
func TestWholeSet(t *testing.T) {
	program := pythonProgram(t)
	dir := t.TempDir()
	layOut := exec.Command(program, interopScript("onnx_cases.py"), dir)
	var warnings strings.Builder
	layOut.Stderr = &warnings
	answer, err := layOut.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", layOut, err, warnings.String())
	}
	laidOut := map[string]int{}
	if err := json.Unmarshal(answer, &laidOut); err != nil {
		t.Fatal(err)
	}
	cases, err := ReadCases(dir)
	if err != nil {
		t.Fatal(err)
	}
	results := runCases(t, cases, 2)

	gaps := readGaps(t)
	unseen := map[string]bool{}
	for name := range gaps {
		unseen[name] = true
	}
	counts := map[CaseOutcome]int{}
	kinds := map[string]int{}
	for i, c := range cases {
		result, name := results[i], filepath.Base(c.Dir)
		kind, _, _ := strings.Cut(c.Name, "/")
		kinds[kind]++
		reason, listed := gaps[name]
		delete(unseen, name)
		outcome := result.Outcome
		switch {
		case strings.HasPrefix(reason, randomReason):
			outcome = NotImplemented
		case listed && outcome == Passed:
			t.Errorf("%s passes, but is listed as a gap: %s", c.Name, reason)
		case outcome == Failed, !listed && outcome != Passed:
			t.Errorf("%s: %s: %s", c.Name, outcome, result.Detail)
		}
		counts[outcome]++
	}
	for name := range unseen {
		t.Errorf("%s is listed as a gap, but there is no such test", name)
	}
	for kind, count := range laidOut {
		if kinds[kind] != count {
			t.Errorf("%d cases of kind %s were laid out, %d were found", count, kind, kinds[kind])
		}
	}
	t.Logf("%d passed, %d failed, %d unsupported", counts[Passed], counts[Failed], counts[NotImplemented])
	if share := float64(counts[Passed]) / float64(len(cases)); share < wholeSetShare {
		t.Errorf("%.2f %% passed, want at least %.0f %%", 100*share, 100*wholeSetShare)
	}
}

// runCases runs so many cases at a time as it is told, and gives the results in
// the order of the cases.
func runCases(t *testing.T, cases []Case, atOnce int) []CaseResult {
	results := make([]CaseResult, len(cases))
	next := make(chan int)
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for i := range next {
				results[i] = cases[i].Run(t.Context(), CaseOptions{Threads: 1})
			}
		})
	}
	for i := range cases {
		next <- i
	}
	close(next)
	workers.Wait()
	return results
}
