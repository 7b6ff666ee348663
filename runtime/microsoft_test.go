package runtime

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// TestMicrosoftOperators runs cases of ONNX Runtime's own operators, made by it.
// They have no standard that says how they compute, so all of them must agree
// with what it does.
func TestMicrosoftOperators(t *testing.T) {
	program := pythonProgram(t)
	dir := t.TempDir()
	layOut := exec.Command(program, interopScript("microsoft_cases.py"), dir)
	var warnings strings.Builder
	layOut.Stderr = &warnings
	answer, err := layOut.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", layOut, err, warnings.String())
	}
	laidOut, err := strconv.Atoi(strings.TrimSpace(string(answer)))
	if err != nil {
		t.Fatal(err)
	}
	cases, err := ReadCases(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != laidOut || laidOut < 150 {
		t.Fatalf("%d cases are laid out and %d read: want all of them, and that many more operators to be there", laidOut, len(cases))
	}
	for i, result := range runCases(t, cases, 2) {
		if result.Outcome != Passed {
			t.Errorf("%s: %s: %s", cases[i].Name, result.Outcome, result.Detail)
		}
	}
}
