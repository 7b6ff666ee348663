package onnx

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// folderOf returns the folder that an environment variable names, or the one
// beside the module. Without either the test is skipped, on CI it fails.
func folderOf(t testing.TB, variable, beside string) string {
	t.Helper()
	if dir := os.Getenv(variable); dir != "" {
		return dir
	}
	if beside != "" {
		dir := filepath.Join("..", "..", filepath.FromSlash(beside))
		if _, err := os.Stat(dir); err == nil {
			return dir
		}
	}
	message := "NOT TESTED: set " + variable + " to the folder that this test reads"
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
	return ""
}

// modelsUnder lists the models in a folder; there must be some.
func modelsUnder(t testing.TB, dir string) []string {
	t.Helper()
	var models []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && filepath.Ext(path) == ".onnx" {
			models = append(models, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(models) == 0 {
		t.Fatalf("there is no model under %s", dir)
	}
	return models
}

// sharedModels lists the models of the shared cases.
func sharedModels(t testing.TB) []string {
	return modelsUnder(t, folderOf(t, "TINYQ_CASES", "shared/cases"))
}

// nodeTestModels lists the models of ONNX's own operator tests.
func nodeTestModels(t testing.TB) []string {
	return modelsUnder(t, folderOf(t, "TINYQ_NODE_TESTS", ""))
}
