// Command product writes the assembly of quantops' matrix products, and the Go
// declarations that belong to it, into the folder that it is given.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// declared is a function of an assembly file: its name, and the type of the
// structure that it is given a pointer to.
type declared struct{ name, argument string }

// part is one assembly file, with tables of its functions for Go.
type part struct {
	name      string
	functions []declared
	tables    bytes.Buffer
	*build.Context
}

func newPart(name string) *part { return &part{name: name, Context: build.NewContext()} }

// function begins a function of one pointer.
func (p *part) function(name, argument, doc string) {
	p.functions = append(p.functions, declared{name, argument})
	p.Function(name)
	p.Attributes(noSplit)
	p.SignatureExpr("func(t *byte)")
	p.Doc(doc)
}

// write writes the assembly and its declarations.
func (p *part) write(folder string) error {
	file, err := p.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(file); err != nil {
		return err
	}
	config := printer.Config{Name: "quantops/internal/asm/product", Argv: []string{"go", "generate", "./quantops"}, Pkg: "quantops"}
	text, err := printer.NewGoAsm(config).Print(file)
	if err != nil {
		return err
	}
	for _, f := range p.functions {
		text = bytes.Replace(text, []byte("// func "+f.name+"(t *byte)"), []byte("// func "+f.name+"(t *"+f.argument+")"), 1)
	}
	if err := os.WriteFile(filepath.Join(folder, p.name+"_amd64.s"), text, 0o644); err != nil {
		return err
	}
	var stubs strings.Builder
	fmt.Fprintf(&stubs, "// %s\n\npackage quantops\n\n", config.GeneratedWarning())
	for _, f := range p.functions {
		fmt.Fprintf(&stubs, "//go:noescape\nfunc %s(t *%s)\n\n", f.name, f.argument)
	}
	stubs.Write(p.tables.Bytes())
	formatted, err := format.Source([]byte(stubs.String()))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, p.name+"_amd64.go"), formatted, 0o644)
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: product FOLDER")
	}
	for _, p := range []*part{floatTiles(), byteTiles(), finishes(), transposes(), fixedPoint(), tilesFixed(), tilesWords(), dynamics(), amx(), pieces()} {
		if err := p.write(os.Args[1]); err != nil {
			log.Fatalf("%s: %v", p.name, err)
		}
	}
}
