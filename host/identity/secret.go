package identity

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Secret is what lets its bearer in: shown once, and kept nowhere. It prints as "[redacted]"; Reveal is the way to its text.
type Secret string

// Reveal returns the secret's text, for the one who is to have it.
func (s Secret) Reveal() string { return string(s) }

// Format prints "[redacted]", whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, "[redacted]") }

// LogValue logs "[redacted]".
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// MarshalText writes "[redacted]": no struct that holds a secret gives it away as JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

// letters write random bytes so that they survive being read out, being double-clicked, and a keyboard without capitals.
var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Lengths of random texts, in bytes before they are written.
const (
	idBytes     = 10 // names somebody or something; no secret
	secretBytes = 32
)

// idLetters is how long an id is as text.
var idLetters = letters.EncodedLen(idBytes)

// random returns n random bytes as text.
func (i *Identity) random(n int) (string, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(i.o.Random, b); err != nil {
		return "", fmt.Errorf("drawing randomness: %w", err)
	}
	return letters.EncodeToString(b), nil
}

// hashed is how a secret stands in the database. It is random, so a fast hash will do.
func hashed(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// spelled reports whether text has n letters, all of them ours.
func spelled(text string, n int) bool {
	return len(text) == n && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// ErrName refuses a name that is empty, too long or cannot be printed.
const ErrName = refusal("a name has 1 to 100 characters that can be printed")

// checkName returns the name without the white space around it.
func checkName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if !utf8.ValidString(name) || name == "" || utf8.RuneCountInString(name) > 100 {
		return "", ErrName
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return "", ErrName
		}
	}
	return name, nil
}
