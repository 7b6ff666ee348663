// Command quantize writes the assembly of quantops' sweeps over weights, and the
// Go declarations that belong to it, into the folder that it is given.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// name is that of the files.
const name = "sweep_kernels"

// kernels is the assembly file that is being made, with its Go declarations.
type kernels struct {
	*build.Context
	declared []string // functions of a *sweep
	tables   strings.Builder
}

// function begins a function of a sweep.
func (k *kernels) function(name, doc string) {
	k.declared = append(k.declared, name)
	k.Function(name)
	k.Attributes(attr.NOSPLIT)
	k.SignatureExpr("func(s *byte)")
	k.Doc(doc)
}

// fence makes what orders stores past the caches.
func (k *kernels) fence() {
	k.Function("storeFence")
	k.Attributes(attr.NOSPLIT)
	k.SignatureExpr("func()")
	k.Doc("storeFence orders all stores before those that follow.")
	k.SFENCE()
	k.RET()
}

// write writes the assembly and its declarations.
func (k *kernels) write(folder string) error {
	file, err := k.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(file); err != nil {
		return err
	}
	config := printer.Config{Name: "quantops/internal/asm/quantize", Argv: []string{"go", "generate", "./quantops"}, Pkg: "quantops"}
	text, err := printer.NewGoAsm(config).Print(file)
	if err != nil {
		return err
	}
	text = bytes.ReplaceAll(text, []byte("(s *byte)\n"), []byte("(s *sweep)\n"))
	if err := os.WriteFile(filepath.Join(folder, name+"_amd64.s"), text, 0o644); err != nil {
		return err
	}
	var declarations strings.Builder
	fmt.Fprintf(&declarations, "// %s\n\npackage quantops\n\n", config.GeneratedWarning())
	for _, f := range k.declared {
		fmt.Fprintf(&declarations, "//go:noescape\nfunc %s(s *sweep)\n\n", f)
	}
	declarations.WriteString("func storeFence()\n\n")
	declarations.WriteString(k.tables.String())
	formatted, err := format.Source([]byte(declarations.String()))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name+"_amd64.go"), formatted, 0o644)
}

// sweeps are the functions of a level, one for each float type.
func (k *kernels) sweeps(l level) {
	fields := []struct {
		field string
		make  func(level, float) string
	}{
		{"extremesEach", k.extremesEach}, {"extremesShared", k.extremesShared},
		{"quantizeEach", k.quantizeEach}, {"quantizeShared", k.quantizeShared},
	}
	fmt.Fprintf(&k.tables, "// sweep%s are the sweeps in %s.\nvar sweep%s = &sweepKernels{\n", l.name, l.title, l.name)
	for _, f := range fields {
		fmt.Fprintf(&k.tables, "%s: [...]func(*sweep){\n", f.field)
		for _, t := range floats {
			fmt.Fprintf(&k.tables, "%sType: %s,\n", t.name, f.make(l, t))
		}
		k.tables.WriteString("},\n")
	}
	k.tables.WriteString("transpose: transposeSweepAVX2,\nfence: storeFence,\n}\n\n")
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: quantize FOLDER")
	}
	k := &kernels{Context: build.NewContext()}
	k.sweeps(avx512)
	k.sweeps(avx2)
	k.transpose()
	k.fence()
	if err := k.write(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
