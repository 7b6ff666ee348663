package main

import (
	"errors"
	"strings"
	"testing"
)

// What a model's names say is never a command to a terminal.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain, Ünïcode, → and 重み":      "plain, Ünïcode, → and 重み",
		"\x1b]0;owned\x07":              `\x1b]0;owned\a`,
		"a\nb\tc":                       `a\nb\tc`,
		"\u202Exnno":                    `\u202exnno`,
		"\xff\x9b":                      `\xff\x9b`,
		"zero\x00":                      `zero\x00`,
		"\ufffd is a character as well": "\ufffd is a character as well",
		"":                              "",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestErrorsAreOneShortLine(t *testing.T) {
	err := errors.Join(errors.New("the first\n"), errors.New("names "+strings.Repeat("n", 1<<20)+" and \x1b[2J"))
	line := oneLine(err)
	if strings.Contains(line, "\n") || len(line) > 2*longestLine || !strings.HasPrefix(line, "the first; names nnn") || !strings.HasSuffix(line, `nn and \x1b[2J`) {
		t.Errorf("%d bytes: %.100q … %q", len(line), line, line[len(line)-40:])
	}
}
