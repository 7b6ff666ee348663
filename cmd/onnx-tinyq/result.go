package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// result prints what a command found: one JSON object, or what forPeople
// prints, or nothing.
func (a *app) result(report any, forPeople func()) error {
	if a.asJSON {
		encoder := json.NewEncoder(a.out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	if !a.quiet {
		forPeople()
	}
	return nil
}

// number is a measurement. JSON has no word for NaN and infinities: null
// stands for them.
type number float64

// MarshalJSON writes the number, or null.
func (n number) MarshalJSON() ([]byte, error) {
	f := float64(n)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(f)
}

// newTable is a table without lines, for people and for cut and awk alike.
func newTable(header ...any) table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.Options{SeparateHeader: false}
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(table.Row(header))
	return t
}

// rightAlign lets numbers stand under each other.
func rightAlign(t table.Writer, columns ...int) {
	var configs []table.ColumnConfig
	for _, column := range columns {
		configs = append(configs, table.ColumnConfig{Number: column, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(configs)
}

// render is a table's text, each line under a margin and without blanks at its end.
func render(t table.Writer) string {
	var out strings.Builder
	for line := range strings.SplitSeq(t.Render(), "\n") {
		out.WriteString(printable(strings.TrimRight("  "+line, " ")) + "\n")
	}
	return out.String()
}

// grouped is an integer with its digits in groups of three.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var groups []string
	for len(digits) > 3 {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return sign + strings.Join(append([]string{digits}, groups...), ",")
}

// count is a number of things with their name, in the plural where it is due.
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return grouped(int64(n)) + " " + thing
}

// percent is a part of a whole.
func percent(part, whole int64) string {
	if whole == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

// printable is a text with what a terminal would take for a command, or what
// turns text around, spelled out: names come from models, and those from anywhere.
func printable(s string) string {
	var out strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, s[0])
		case unicode.IsPrint(r):
			out.WriteRune(r)
		default:
			out.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		s = s[size:]
	}
	return out.String()
}

// shorten keeps the two ends of a name that is too long for a table.
func shorten(name string, most int) string {
	runes := []rune(name)
	if len(runes) <= most {
		return name
	}
	front := (most - 1) / 2
	return string(runes[:front]) + "…" + string(runes[len(runes)-(most-1-front):])
}

// product is a shape in words.
func product[T int | int64](dims []T) string {
	if len(dims) == 0 {
		return "scalar"
	}
	var parts []string
	for _, d := range dims {
		parts = append(parts, strconv.FormatInt(int64(d), 10))
	}
	return strings.Join(parts, "×")
}
