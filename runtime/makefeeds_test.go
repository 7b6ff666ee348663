package runtime

import (
	"path/filepath"
	"testing"

	"github.com/onnx-tinyq/onnx-tinyq/onnx"
)

// TestMakeFeedsRuns makes inputs for every shared model, which has to run on them.
func TestMakeFeedsRuns(t *testing.T) {
	dir := folderOf(t, "TINYQ_CASES", "shared/cases")
	cases, err := ReadCases(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			m, err := onnx.Open(filepath.Join(c.Dir, modelFile))
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			feeds, err := MakeFeeds(m, FeedOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for name, v := range feeds {
				t.Logf("%s: %s", name, describe(v))
			}
			session, err := Compile(m, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := session.Run(t.Context(), feeds); err != nil {
				t.Error(err)
			}
		})
	}
}
