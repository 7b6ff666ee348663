package ops

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files that tests compare with")

// standardOperator is an operator of ONNX: the opset versions at which it was
// added or changed, the most inputs and outputs and the attributes of them all.
type standardOperator struct {
	domain, name    string
	versions        []int
	inputs, outputs int
	attributes      []standardAttribute
}

type standardAttribute struct{ name, kind string }

func (o standardOperator) String() string { return o.domain + "." + o.name }

func readStandardOperators(t *testing.T) []standardOperator {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "operators.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var operators []standardOperator
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var o standardOperator
		var versions string
		if _, err := fmt.Sscanf(line, "%s %s %s in=%d out=%d", &o.domain, &o.name, &versions, &o.inputs, &o.outputs); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		for _, text := range strings.Split(versions, ",") {
			version, err := strconv.Atoi(text)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			o.versions = append(o.versions, version)
		}
		for _, field := range strings.Fields(line)[5:] {
			name, kind, _ := strings.Cut(field, ":")
			o.attributes = append(o.attributes, standardAttribute{name, kind})
		}
		operators = append(operators, o)
	}
	return operators
}

// leftOut are the operators of ONNX's domains that have no kernel, and why.
func leftOut(o standardOperator) string {
	switch o.domain {
	case "ai.onnx.preview.training":
		return "training"
	case "ai.onnx.ml":
		return "classical machine learning beyond what the operator tests use"
	}
	if o.name == "ImageDecoder" {
		return "formats of images"
	}
	return ""
}

// Every operator of ONNX has a kernel at each of its versions, or a reason.
func TestEveryVersionOfEveryOperator(t *testing.T) {
	for _, o := range readStandardOperators(t) {
		reason := leftOut(o)
		for _, version := range o.versions {
			kernel, known := Lookup(o.domain, o.name, version)
			switch {
			case !known && reason == "":
				t.Errorf("%v has no kernel", o)
			case known && kernel == nil:
				t.Errorf("%v of opset %d has no kernel", o, version)
			case known && kernel.Since > version:
				t.Errorf("%v of opset %d has a kernel of opset %d", o, version, kernel.Since)
			}
		}
	}
}

// A kernel that stands twice in the tables, or that begins where the operator
// did not change, is a mistake in a table.
func TestTablesMatchTheStandard(t *testing.T) {
	versions := map[[2]string][]int{}
	for _, o := range readStandardOperators(t) {
		versions[[2]string{o.domain, o.name}] = o.versions
	}
	for key, since := range kernelsByOperator() {
		if len(slices.Compact(slices.Clone(since))) != len(since) {
			t.Errorf("%s.%s has two kernels of one opset: %v", key[0], key[1], since)
		}
		standard, listed := versions[key]
		if key[0] == "com.microsoft" || key == [2]string{"ai.onnx", "SimplifiedLayerNormalization"} {
			continue // ONNX Runtime's own, the latter in ONNX's domain all the same
		}
		if !listed {
			t.Errorf("%s.%s is no operator of ONNX", key[0], key[1])
		}
		for _, version := range since {
			if listed && !slices.Contains(standard, version) {
				t.Errorf("%s.%s has a kernel of opset %d, but changed at %v", key[0], key[1], version, standard)
			}
		}
	}
}

// kernelsByOperator lists, for each domain and operator, since which opset
// versions its kernels are, in ascending order.
func kernelsByOperator() map[[2]string][]int {
	kernels := map[[2]string][]int{}
	for _, family := range families {
		for _, kernel := range family {
			key := [2]string{kernel.Domain, kernel.Op}
			if key[0] == "" {
				key[0] = "ai.onnx"
			}
			kernels[key] = append(kernels[key], kernel.Since)
			slices.Sort(kernels[key])
		}
	}
	return kernels
}

// The table in the package's documentation is what the kernels' tables say.
// After a change: go test ./runtime/internal/ops -run TestCoverage -update
func TestCoverage(t *testing.T) {
	path := filepath.Join("..", "..", "coverage.md")
	want := coverage(t)
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the kernels' tables say; go test ./runtime/internal/ops -run TestCoverage -update writes it anew", path)
	}
}

func coverage(t *testing.T) []byte {
	standard := map[[2]string][]int{}
	var missing []string
	kernels := kernelsByOperator()
	for _, o := range readStandardOperators(t) {
		key := [2]string{o.domain, o.name}
		standard[key] = o.versions
		if kernels[key] == nil && o.domain != "ai.onnx.ml" && o.domain != "ai.onnx.preview.training" {
			missing = append(missing, o.name)
		}
	}
	byDomain := map[string][]string{}
	for key := range kernels {
		byDomain[key[0]] = append(byDomain[key[0]], key[1])
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Operators\n\nThe executor has %d operators. A kernel serves its operator from the opset version given here\n"+
		"until the next one takes over; where the versions of an operator differ in what they compute, one\n"+
		"kernel may serve several and asks which is in force. This file is written from the kernels' tables by\n"+
		"`go test ./runtime/internal/ops -run TestCoverage -update`.\n", len(kernels))
	for _, domain := range slices.Sorted(maps.Keys(byDomain)) {
		names := byDomain[domain]
		slices.Sort(names)
		fmt.Fprintf(&out, "\n## %s (%d)\n\n| operator | changed at opset | kernels from opset |\n|---|---|---|\n", domain, len(names))
		for _, name := range names {
			key := [2]string{domain, name}
			fmt.Fprintf(&out, "| %s | %s | %s |\n", name, commas(standard[key]), commas(kernels[key]))
		}
	}
	if missing != nil {
		fmt.Fprintf(&out, "\n## Not there\n\n%s; training (`ai.onnx.preview.training`); of `ai.onnx.ml` what the table above does not list.\n", strings.Join(missing, ", "))
	}
	return out.Bytes()
}

func commas(list []int) string {
	if list == nil {
		return "–"
	}
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(list), "[]"), " ", ", ")
}
