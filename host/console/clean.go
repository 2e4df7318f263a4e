package console

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Clean replaces everything in a foreign text that a terminal obeys instead of showing it by a question mark: control
// characters, line ends, and the marks that turn the direction of writing or cannot be seen.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if obeyed(r) {
			return '?'
		}
		return r
	}, s)
}

// obeyed holds for the characters of Unicode's classes control, format, surrogate and private use, and for its line ends.
func obeyed(r rune) bool { return unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) }

// cleanLines is Clean of each line.
func cleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = Clean(line)
	}
	return strings.Join(lines, "\n")
}

// escape writes the same characters in a line of JSON as \uXXXX: there they can only stand inside strings.
func escape(line []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(line) {
		switch {
		case r == '\n' || !obeyed(r):
			b.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}
