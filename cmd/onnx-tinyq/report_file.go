package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"path/filepath"
	"strings"
)

//go:embed report.html
var reportPage string

// writeReport writes the report that --report asks for, in the form that the
// file's name says.
func (f *rewriteFlags) writeReport(r *rewriteReport) error {
	if f.report == "" {
		return nil
	}
	var content bytes.Buffer
	var err error
	if filepath.Ext(f.report) == ".html" {
		err = r.html(&content)
	} else {
		encoder := json.NewEncoder(&content)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(r)
	}
	if err == nil {
		err = replaceFile(f.report, 0o644, func(w io.Writer) error {
			_, err := content.WriteTo(w)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("report %s: %w", f.report, err)
	}
	return nil
}

// html renders the report as one page that needs nothing else.
func (r *rewriteReport) html(out *bytes.Buffer) error {
	page, err := template.New("report").Funcs(template.FuncMap{
		"grouped": grouped,
		"percent": percent,
		"product": product[int64],
		"ratio":   ratio,
		"figure":  figure,
		"count":   count,
		"join":    func(list []string) string { return strings.Join(list, "; ") },
		"decimal": func(digits int, n number) string { return fmt.Sprintf("%.*f", digits, float64(n)) },
		"times":   func(factor float64, n number) number { return number(factor * float64(n)) },
		"width": func(part, whole int64) string {
			if whole == 0 {
				return "0"
			}
			return fmt.Sprintf("%.1f", 100*float64(part)/float64(whole))
		},
	}).Parse(reportPage)
	if err != nil {
		return err
	}
	return page.Execute(out, r)
}
