package alarm

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// checkText refuses text that is too long, and characters that no store of ours keeps or that change how other text is shown.
func checkText(what, text string, most int) error {
	bad := func(r rune) bool {
		return r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == '\uFFFE' || r == '\uFFFF' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
	}
	switch {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, bad):
		return fmt.Errorf("%s: %w: characters that have no place in it", what, ErrMalformed)
	case utf8.RuneCountInString(text) > most:
		return fmt.Errorf("%s: %w: longer than %d characters", what, ErrMalformed, most)
	}
	return nil
}
