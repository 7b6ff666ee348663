package runtime

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// readGaps reads the list of operator tests that are known not to pass: a line
// for each, its name, a colon and the reason.
func readGaps(t *testing.T) map[string]string {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "testdata", "conformance", "gaps.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	gaps := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, ": ")
		if !ok || strings.TrimSpace(reason) == "" {
			t.Errorf("%q is not a test's name, a colon and a reason", line)
		}
		if gaps[name] != "" {
			t.Errorf("%s is listed twice", name)
		}
		gaps[name] = reason
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return gaps
}

// TestConformance runs ONNX's own operator tests. Each passes, or is listed with
// the reason why it does not; a listed one that passes is an error too.
func TestConformance(t *testing.T) {
	dir := folderOf(t, "TINYQ_NODE_TESTS", "")
	gaps := readGaps(t)
	cases, err := ReadCases(dir)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[CaseOutcome]int{}
	for _, c := range cases {
		t.Run(filepath.Base(c.Dir), func(t *testing.T) {
			begin := time.Now()
			result := c.Run(t.Context(), CaseOptions{how: judged{overwrite: true}})
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			counts[result.Outcome]++
			reason, listed := gaps[filepath.Base(c.Dir)]
			switch {
			case strings.HasPrefix(reason, randomReason): // nothing to agree with
			case listed && result.Outcome == Passed:
				t.Errorf("it passes, but is listed as a gap: %s", reason)
			case !listed && result.Outcome != Passed:
				t.Errorf("%s: %s", result.Outcome, result.Detail)
			}
		})
	}
	t.Logf("%d passed, %d failed, %d unsupported", counts[Passed], counts[Failed], counts[NotImplemented])
}

// TestSharedCases runs the models that people have: all of them pass.
func TestSharedCases(t *testing.T) {
	dir := folderOf(t, "TINYQ_CASES", "shared/cases")
	var dirs []string
	for _, kind := range []string{"real", "trained", "exported", "structural"} {
		dirs = append(dirs, filepath.Join(dir, kind))
	}
	cases, err := ReadCases(dirs...)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			if result := c.Run(t.Context(), CaseOptions{how: judged{overwrite: true}}); result.Outcome != Passed {
				t.Errorf("%s: %s", result.Outcome, result.Detail)
			}
		})
	}
}
