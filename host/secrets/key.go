package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// Why a file of secrets is not opened or closed. No error quotes a key.
var (
	// ErrNoKey says that the secrets are encrypted and nobody gave a key.
	ErrNoKey = errors.New("they are encrypted, and no key was given")
	// ErrWrongKey says that the file was closed with another key.
	ErrWrongKey = errors.New("the key does not open the file")
	// ErrWeakKey refuses to close a file with a passphrase that can be guessed.
	ErrWeakKey = errors.New("the passphrase is too weak")
	// ErrBadKey refuses a text that is to be an age identity and is none, or a passphrase that nobody could type.
	ErrBadKey = errors.New("the key is neither an AGE-SECRET-KEY-1… nor one line")
)

// A passphrase has to have so many characters, and so many different ones among them. That keeps out the worst; scrypt makes
// each guess cost a second.
const (
	minPassphrase = 12
	minDifferent  = 6
)

// maxWorkFactor is the costliest passphrase that is tried, as a power of two: a gigabyte of memory. age itself writes 18.
const maxWorkFactor = 20

// identityPrefix begins an age identity (X25519), whatever stands behind it.
const identityPrefix = "AGE-SECRET-KEY-"

// Key closes and opens a file of secrets: an age identity or a passphrase. It prints as "[redacted]". The zero Key is none.
type Key struct {
	identity  age.Identity
	recipient age.Recipient
	weak      bool
}

// ParseKey reads a key: a text that holds an age identity, as age-keygen writes it, is that; any other is a passphrase, without
// the white space around it. Empty is ErrNoKey, several lines that are no identity are ErrBadKey. A weak passphrase opens, and closes
// nothing.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return Key{}, ErrNoKey
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(strings.ToUpper(line), identityPrefix) {
			return parseIdentity(line)
		}
	}
	if strings.ContainsAny(text, "\r\n") {
		return Key{}, ErrBadKey
	}
	return Passphrase(text)
}

func parseIdentity(line string) (Key, error) {
	identity, err := age.ParseX25519Identity(line)
	if err != nil {
		return Key{}, ErrBadKey // err might quote it
	}
	return Key{identity: identity, recipient: identity.Recipient()}, nil
}

// Passphrase returns the key that a person remembers. Empty is ErrNoKey.
func Passphrase(text string) (Key, error) {
	if text == "" {
		return Key{}, ErrNoKey
	}
	identity, err := age.NewScryptIdentity(text)
	if err != nil {
		return Key{}, err
	}
	identity.SetMaxWorkFactor(maxWorkFactor)
	recipient, err := age.NewScryptRecipient(text)
	if err != nil {
		return Key{}, err
	}
	return Key{identity, recipient, isWeak(text)}, nil
}

func isWeak(passphrase string) bool {
	different, n := make(map[rune]bool), 0
	for _, r := range passphrase {
		different[r] = true
		n++
	}
	return n < minPassphrase || len(different) < minDifferent
}

// IsZero reports whether this is no key.
func (k Key) IsZero() bool { return k.identity == nil }

// Check returns ErrNoKey or ErrWeakKey for a key that is to close nothing.
func (k Key) Check() error {
	switch {
	case k.IsZero():
		return ErrNoKey
	case k.weak:
		return fmt.Errorf("%w: want %d characters or more, %d of them different", ErrWeakKey, minPassphrase, minDifferent)
	}
	return nil
}

// String returns "[redacted]".
func (Key) String() string { return redacted }

// GoString returns "[redacted]".
func (Key) GoString() string { return redacted }

// Format prints "[redacted]" for every verb.
func (Key) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// LogValue returns "[redacted]".
func (Key) LogValue() slog.Value { return slog.StringValue(redacted) }

// seal returns text as an armored age file.
func (k Key) seal(text []byte) ([]byte, error) {
	if err := k.Check(); err != nil {
		return nil, err
	}
	var file bytes.Buffer
	armored := armor.NewWriter(&file)
	sealed, err := age.Encrypt(armored, k.recipient)
	if err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	_, err = sealed.Write(text)
	if err = errors.Join(err, sealed.Close(), armored.Close()); err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	return file.Bytes(), nil
}

// open returns what seal, or another program that writes age files, armored or not, closed.
func (k Key) open(file []byte) ([]byte, error) {
	if k.IsZero() {
		return nil, ErrNoKey
	}
	var plain io.Reader = bytes.NewReader(file)
	if bytes.HasPrefix(bytes.TrimSpace(file), []byte(armor.Header)) {
		plain = armor.NewReader(plain)
	}
	opened, err := age.Decrypt(plain, k.identity)
	if other := (*age.NoIdentityMatchError)(nil); errors.As(err, &other) {
		return nil, ErrWrongKey
	}
	if err != nil {
		return nil, fmt.Errorf("it is no age file that is whole: %w", err)
	}
	text, err := io.ReadAll(opened)
	if err != nil {
		return nil, fmt.Errorf("it is no age file that is whole: %w", err)
	}
	return text, nil
}
