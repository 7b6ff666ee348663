// Command vector writes the AVX-512 and AVX2 twins of the loops of
// runtime/internal/vector, whose generic Go twins document what they compute.
// It is run by go generate there, and writes into the folder that is its argument
// one assembly file and one file of declarations for each group of loops.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// group is a pair of files and what is in them.
type group struct {
	name   string
	define func(m *machine)
}

var groups = []group{
	{"transcendental", defineTranscendental},
	{"elementwise", defineElementwise},
	{"rows", defineRows},
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: vector FOLDER")
		os.Exit(2)
	}
	for _, g := range groups {
		if err := g.write(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "vector:", err)
			os.Exit(1)
		}
	}
}

func (g group) write(folder string) error {
	context := build.NewContext()
	constants := map[constantKey]bool{}
	for _, wide := range []bool{true, false} {
		g.define(&machine{Context: context, wide: wide, constants: constants})
	}
	file, err := context.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(file); err != nil {
		return err
	}
	config := printer.Config{Argv: []string{"go", "generate"}, Pkg: "vector"}
	for _, out := range []struct {
		name    string
		printer printer.Printer
	}{
		{g.name + "_amd64.s", printer.NewGoAsm(config)},
		{g.name + "_asm_amd64.go", printer.NewStubs(config)},
	} {
		text, err := out.printer.Print(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, out.name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// function begins the twin of a generic function: its name is the generic one's
// with the instruction set in the place of Generic.
func (m *machine) function(name, signature string) {
	set := "AVX2"
	if m.wide {
		set = "AVX512"
	}
	m.Function(name + set)
	m.Attributes(attr.NOSPLIT)
	m.SignatureExpr(signature)
	m.Pragma("noescape")
	m.Doc(fmt.Sprintf("%s%s is %sGeneric.", name, set, name))
	m.tail, m.mask, m.labels = false, nil, 0
}
