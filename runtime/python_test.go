package runtime

import (
	"os"
	"path/filepath"
	"testing"
)

// pythonProgram is a Python that has the packages of .ci/requirements.txt.
// Without it the test is skipped, on CI it fails.
func pythonProgram(t testing.TB) string {
	t.Helper()
	if program := os.Getenv("TINYQ_PYTHON"); program != "" {
		return program
	}
	message := "NOT TESTED: set TINYQ_PYTHON to a Python that has the packages of .ci/requirements.txt"
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
	return ""
}

// interopScript is the path of a script that the tests run with that Python.
func interopScript(name string) string { return filepath.Join("..", ".ci", "interop", name) }
