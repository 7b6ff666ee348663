package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Tests that need more than a clone has look for it in the environment. Without
// it they are skipped, and say so; in CI, where it has to be there, they fail.

// casesFolder is the folder with the shared model cases.
func casesFolder(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("TINYQ_CASES")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "cases") // beside the clone
	}
	if _, err := os.Stat(filepath.Join(folder, "structural")); err != nil {
		missing(t, "the shared model cases are not there: set TINYQ_CASES to their folder")
	}
	return folder
}

// pythonProgram is a Python that has the packages of .ci/requirements.txt.
func pythonProgram(t *testing.T) string {
	t.Helper()
	program := os.Getenv("TINYQ_PYTHON")
	if program == "" {
		missing(t, "there is no Python to compare with: set TINYQ_PYTHON to one that has the packages of .ci/requirements.txt")
	}
	return program
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip("SKIPPED: " + what)
}

// wholeProgram skips a test under -short that starts the program again and again,
// or runs whole models: the race detector, for one, has no use for it.
func wholeProgram(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED with -short: it is a test of the whole program")
	}
}

// modelsIn lists the folders below a cases folder that hold a model, by their
// path from there with slashes.
func modelsIn(t *testing.T, cases string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(cases, "*", "*", "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, file := range files {
		name, err := filepath.Rel(cases, filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.ToSlash(name))
	}
	return names
}
