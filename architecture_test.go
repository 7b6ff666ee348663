package onnxtinyq_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/onnx-tinyq/onnx-tinyq"

// rooms are the module's top folders with code, each with the rooms that it may
// import. rewrite and runtime do not know each other, so that what the one
// writes is judged by code that the other one does not share.
var rooms = map[string][]string{
	"onnx":     {},
	"quantops": {},
	"rewrite":  {"onnx", "quantops"},
	"runtime":  {"onnx", "quantops"},
	"cmd":      {"onnx", "quantops", "rewrite", "runtime"},
}

// dependencies are the packages of others, by path prefix, each with the rooms
// that may import it; "tests" allows it in the test files of every room.
var dependencies = map[string][]string{
	"google.golang.org/protobuf/encoding/protowire": {"onnx"},
	"google.golang.org/protobuf":                    {"tests"}, // what our own reading and writing is compared with
	"golang.org/x/sys":                              {"onnx", "quantops", "runtime", "cmd"},
	"golang.org/x/sync":                             {"rewrite", "runtime", "cmd"},
	"golang.org/x/term":                             {"cmd"},
	"github.com/bmatcuk/doublestar/v4":              {"rewrite"},
	"github.com/spf13/cobra":                        {"cmd"},
	"github.com/spf13/pflag":                        {"cmd"},
	"github.com/owulveryck/onnx-go":                 {"runtime"}, // runtime/onnxgo is a backend of it,
	"gonum.org/v1/gonum/graph":                      {"runtime"}, // whose graphs are these
	"gorgonia.org/tensor":                           {"runtime"}, // and whose values are these
	"github.com/jedib0t/go-pretty/v6":               {"cmd"},
	"github.com/schollz/progressbar/v3":             {"cmd"},
	"github.com/google/go-cmp":                      {"tests"},
	"github.com/rogpeppe/go-internal":               {"tests"},
	"github.com/x448/float16":                       {"tests"},
}

// topLevel is everything that the module's root may hold.
var topLevel = []string{
	".ci", ".git", ".gitignore", "CONTRIBUTING.md", "LICENSE", "README.md", "RATIONALE.md",
	"SECURITY.md", "architecture_test.go", "cmd", "go.mod", "go.sum", "onnx", "quantops", "rewrite", "runtime",
	"staticcheck.conf", "testdata",
	".venv", // made by .ci/run, not in git
}

// nestedModules are the folders that are modules of their own, because what they
// need is not for those who import this one: the generators of assembly, and the
// comparison with other runtimes, which needs cgo.
var nestedModules = []string{"cmd/peerbench", "quantops/internal/asm", "runtime/internal/asm"}

// longFile is how many lines a file that is not a test may have. A concept
// wants about 400; the rest is room to finish a sentence.
const longFile = 450

var vagueName = regexp.MustCompile(`(?i)^(utils?|helpers?|common|misc|stuff|tools?)(_.*)?(\.go)?$`)

var leftOver = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

// goFile is one parsed Go file of the module.
type goFile struct {
	path    string // from the root, with slashes
	room    string // its top folder; "." for the root
	test    bool
	content string
	syntax  *ast.File
	set     *token.FileSet
}

func readGoFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() && name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || isNestedModule(t, name)) {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(base) != ".go" {
			return nil
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		syntax, err := parser.ParseFile(set, name, content, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		slashed := filepath.ToSlash(name)
		room, _, inFolder := strings.Cut(slashed, "/")
		if !inFolder {
			room = "."
		}
		files = append(files, goFile{slashed, room, strings.HasSuffix(base, "_test.go"), string(content), syntax, set})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < len(rooms) {
		t.Fatalf("found only %d Go files: the walk does not see the module", len(files))
	}
	return files
}

// isNestedModule says whether a folder is a module of its own, which has to be
// one of those that there may be.
func isNestedModule(t *testing.T, folder string) bool {
	t.Helper()
	if _, err := os.Stat(filepath.Join(folder, "go.mod")); err != nil {
		return false
	}
	if !slices.Contains(nestedModules, filepath.ToSlash(folder)) {
		t.Errorf("%s is a module of its own, and not among those that there may be", folder)
	}
	return true
}

func TestTopLevelIsFixed(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !slices.Contains(topLevel, entry.Name()) {
			t.Errorf("%s: the top level is fixed; this belongs into one of its folders", entry.Name())
		}
	}
	for room := range rooms {
		if info, err := os.Stat(room); err != nil || !info.IsDir() {
			t.Errorf("the folder %s is missing", room)
		}
	}
}

func TestImportArrows(t *testing.T) {
	for _, file := range readGoFiles(t) {
		allowed, known := rooms[file.room]
		if !known && file.room != "." {
			t.Errorf("%s: no Go code belongs into %s", file.path, file.room)
		}
		for _, spec := range file.syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			at := file.set.Position(spec.Pos())
			switch {
			case imported == "C":
				t.Errorf("%s: cgo is not used here: the program is one static binary", at)
			case imported == modulePath || strings.HasPrefix(imported, modulePath+"/"):
				room, _, _ := strings.Cut(strings.TrimPrefix(imported, modulePath+"/"), "/")
				if room != file.room && !slices.Contains(allowed, room) {
					t.Errorf("%s: %s must not import %s", at, file.room, room)
				}
			case strings.Contains(strings.Split(imported, "/")[0], "."):
				if !mayImport(file, imported) {
					t.Errorf("%s: %s is not among the dependencies that %s may have", at, imported, file.path)
				}
			}
		}
	}
}

func mayImport(file goFile, imported string) bool {
	for prefix, users := range dependencies {
		if imported == prefix || strings.HasPrefix(imported, prefix+"/") {
			if slices.Contains(users, file.room) || slices.Contains(users, "tests") && file.test {
				return true
			}
		}
	}
	return false
}

func TestFilesAreOneConceptEach(t *testing.T) {
	for _, file := range readGoFiles(t) {
		for _, part := range strings.Split(file.path, "/") {
			if vagueName.MatchString(part) {
				t.Errorf("%s: a name that says nothing about what is in it", file.path)
			}
		}
		lines := strings.Count(file.content, "\n")
		if !file.test && lines > longFile {
			t.Errorf("%s has %d lines, more than %d: it wants to be two concepts", file.path, lines, longFile)
		}
		if left := leftOver.FindString(file.content); left != "" && file.path != "architecture_test.go" {
			t.Errorf("%s: %s is left in it", file.path, left)
		}
	}
}

// panicking are the files outside quantops that may panic: where panics are
// recovered that may be about a file that was cut short, and others go on; and
// where a kernel is ended that asks for more memory than its run may take.
var panicking = []string{"onnx/guard.go", "runtime/compare.go", "runtime/internal/ops/limit.go"}

// TestLibraryManners keeps what a library does not do: start by itself, panic
// on bad input (quantops alone may, for a caller's broken contract), print.
func TestLibraryManners(t *testing.T) {
	for _, file := range readGoFiles(t) {
		if file.test {
			continue
		}
		library := file.room != "cmd"
		ast.Inspect(file.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && n.Name.Name == "init" {
					t.Errorf("%s: init runs behind the back of whoever imports the package", file.set.Position(n.Pos()))
				}
			case *ast.CallExpr:
				name := calledName(n)
				if name == "panic" && file.room != "quantops" && !slices.Contains(panicking, file.path) {
					t.Errorf("%s: bad input is an error, not a panic", file.set.Position(n.Pos()))
				}
				if library && slices.Contains([]string{"print", "println", "fmt.Print", "fmt.Printf", "fmt.Println"}, name) {
					t.Errorf("%s: libraries do not print", file.set.Position(n.Pos()))
				}
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok && library && pkg.Name == "os" && (n.Sel.Name == "Stdout" || n.Sel.Name == "Stderr") {
					t.Errorf("%s: libraries do not print", file.set.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

// calledName is the name of a called function, with its package's where it has
// one; empty for anything else that is called.
func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		if pkg, ok := f.X.(*ast.Ident); ok {
			return pkg.Name + "." + f.Sel.Name
		}
	}
	return ""
}
