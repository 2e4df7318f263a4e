package channel

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"
)

// headContext precedes what the author signs of a head.
const headContext = "pidc1/head\x00"

// SignedHead is an author's word that at a time its channel ended with a message
// and that a log had this size and root: against withheld newer messages. Its
// fields are claims until Verify has returned nil.
type SignedHead struct {
	Channel   ID        `json:"channel"`
	Number    uint64    `json:"number"`
	Hash      Hash      `json:"hash"` // of message Number
	Time      time.Time `json:"time"` // signed in milliseconds
	LogSize   uint64    `json:"logSize"`
	LogRoot   Hash      `json:"logRoot"`
	Signature Signature `json:"signature"`
}

// Signature is an Ed25519 signature. Text form: 86 characters of base64url.
type Signature [ed25519.SignatureSize]byte

// MarshalText returns the text form.
func (s Signature) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, s[:]), nil
}

// UnmarshalText reads the text form, or returns ErrMalformed.
func (s *Signature) UnmarshalText(text []byte) error {
	if len(text) != base64.RawURLEncoding.EncodedLen(len(s)) {
		return fmt.Errorf("signature of %d characters: %w", len(text), ErrMalformed)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || len(b) != len(s) {
		return fmt.Errorf("signature is not base64url: %w", ErrMalformed)
	}
	*s = Signature(b)
	return nil
}

// SignHead returns the head with the author's channel and signature put in, or
// ErrMalformed for a time that it cannot carry.
func (a *Author) SignHead(h SignedHead) (SignedHead, error) {
	h.Channel = a.id
	h.Time = h.Time.Truncate(time.Millisecond).UTC()
	signed, err := h.signedBytes()
	if err != nil {
		return SignedHead{}, err
	}
	h.Signature = Signature(ed25519.Sign(a.private, signed))
	return h, nil
}

// Verify reports whether the channel's author signed the head: nil,
// ErrMalformed or ErrBadSignature.
func (h SignedHead) Verify() error {
	signed, err := h.signedBytes()
	if err != nil {
		return err
	}
	if !ed25519.Verify(h.Channel[:], signed, h.Signature[:]) {
		return fmt.Errorf("head %d of channel %s: %w", h.Number, h.Channel, ErrBadSignature)
	}
	return nil
}

func (h SignedHead) signedBytes() ([]byte, error) {
	ms, err := unixMilli(h.Time)
	if err != nil {
		return nil, err
	}
	if !h.Time.Equal(time.UnixMilli(int64(ms))) {
		return nil, fmt.Errorf("head's time %v is not in whole milliseconds: %w", h.Time, ErrMalformed)
	}
	b := binary.BigEndian.AppendUint64([]byte(headContext), h.Number)
	b = append(b, h.Hash[:]...)
	b = binary.BigEndian.AppendUint64(b, ms)
	b = binary.BigEndian.AppendUint64(b, h.LogSize)
	return append(b, h.LogRoot[:]...), nil
}
