package runtime

import (
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
