// Package channel implements pidc1 channels: lists of signed messages that only
// the holder of the channel's seed can write.
//
// An [Author] signs messages; a [Message] is made only by [Author.Sign] or by
// [Parse], so one that is not zero is genuine: its signature was checked or made
// here. A public channel is clear to everybody. In a restricted one each message
// is encrypted; a [Capability] opens the messages from one number on and never an
// earlier one, and ends where the author rotates the key.
//
// The package is a codec: it holds no clock, no randomness and no storage.
//
// # Concurrency
//
// All types are values or safe for concurrent use.
//
// # Limitations
//
// A message's number, previous hash and time are what its author says. That a
// number is taken only once, and when, is what a ledger proves.
package channel

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// MaxBody is the size in bytes of the longest body of a message.
const MaxBody = 7500

// MaxMessage is the size in bytes that no message exceeds.
const MaxMessage = 8192

// MaxUnixMilli is the last millisecond of the year 9999: the latest time that a
// message, head or log entry can carry, as RFC 3339 has no text for a later one.
const MaxUnixMilli = 253402300799999

// The classes of refusal, in the order in which they are found.
var (
	// ErrMalformed refuses bytes that no author writes.
	ErrMalformed = errors.New("malformed channel message")
	// ErrBadSignature refuses a message that its channel's author did not sign.
	ErrBadSignature = errors.New("signature is not the channel author's")
	// ErrWrongChannel refuses a message of a channel other than the expected one.
	ErrWrongChannel = errors.New("message of another channel")
	// ErrBrokenChain refuses a message whose number, previous hash or mode is not the expected one.
	ErrBrokenChain = errors.New("message does not continue the channel")
	// ErrCannotOpen refuses a restricted message that the given key does not open.
	ErrCannotOpen = errors.New("message cannot be opened with this key")
)

// ErrRemoved says that a message is genuine and in its place, and that what it carried
// was removed for good.
var ErrRemoved = errors.New("payload of the message was removed")

// Class returns the failure class of err as the shared vectors name it: "ok" for
// nil, "malformed", "bad_signature", "wrong_channel", "broken_chain",
// "cannot_open", "removed", and "" for an error that is not of this package.
func Class(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ErrMalformed):
		return "malformed"
	case errors.Is(err, ErrBadSignature):
		return "bad_signature"
	case errors.Is(err, ErrWrongChannel):
		return "wrong_channel"
	case errors.Is(err, ErrBrokenChain):
		return "broken_chain"
	case errors.Is(err, ErrCannotOpen):
		return "cannot_open"
	case errors.Is(err, ErrRemoved):
		return "removed"
	}
	return ""
}

// ID names a channel: its author's Ed25519 public key. Text form: 43 characters of base64url.
type ID [32]byte

// ParseID reads the text form of a channel id, or returns ErrMalformed.
func ParseID(text string) (ID, error) {
	b, err := parse32(text)
	if err != nil {
		return ID{}, fmt.Errorf("channel id %w", err)
	}
	return b, nil
}

// String returns the text form.
func (id ID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// MarshalText returns the text form.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form as ParseID does.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}

// Hash is the SHA-256 of a message's stub: it names the message and, through its
// previous hashes, the whole channel up to it. Text form: 43 characters of base64url.
type Hash [32]byte

// ParseHash reads the text form of a message hash, or returns ErrMalformed.
func ParseHash(text string) (Hash, error) {
	b, err := parse32(text)
	if err != nil {
		return Hash{}, fmt.Errorf("message hash %w", err)
	}
	return b, nil
}

// String returns the text form.
func (h Hash) String() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

// MarshalText returns the text form.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads the text form as ParseHash does.
func (h *Hash) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHash(string(text))
	return err
}

// parse32 reads 32 bytes of unpadded base64url. The decoder skips line breaks;
// the two length checks together do not.
func parse32(text string) (b [32]byte, err error) {
	if len(text) == base64.RawURLEncoding.EncodedLen(len(b)) {
		raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if err == nil && len(raw) == len(b) {
			return [32]byte(raw), nil
		}
	}
	return b, fmt.Errorf("%.50q is not 43 characters of base64url: %w", text, ErrMalformed)
}

// Mode says who can read a channel. It is fixed for a channel by its first message.
type Mode uint8

// The modes of a channel; the values stand in the head of each message.
const (
	Public     Mode = 0 // readable by everybody
	Restricted Mode = 1 // readable with a read key
)

// String returns "public" or "restricted".
func (m Mode) String() string {
	switch m {
	case Public:
		return "public"
	case Restricted:
		return "restricted"
	}
	return fmt.Sprintf("mode(%d)", uint8(m))
}

// unixMilli returns t in milliseconds, if a message can carry it.
func unixMilli(t time.Time) (uint64, error) {
	ms := t.UnixMilli()
	if ms < 0 || ms > MaxUnixMilli {
		return 0, fmt.Errorf("time %v is not within the years 1970 to 9999: %w", t, ErrMalformed)
	}
	return uint64(ms), nil
}
