package channel

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"
)

// Layout of a message: head, payload, signature; and of its stub: head, SHA-256
// of the payload, signature. All numbers are big-endian.
const (
	magic = "PIDC\x01" // and the version

	offMode     = 5  // uint8
	offReserved = 6  // uint16, zero
	offChannel  = 8  // author's public key
	offNumber   = 40 // uint64
	offPrev     = 48 // hash of the message before, zeros for the first
	offTime     = 80 // uint64, Unix milliseconds
	offLength   = 88 // uint32, length of the payload
	headSize    = 92

	offDigest    = headSize // in a stub
	offSignature = headSize + sha256.Size
)

// StubSize is the size in bytes of every stub.
const StubSize = headSize + sha256.Size + ed25519.SignatureSize

// messageContext precedes what the author signs: head and SHA-256 of the payload.
const messageContext = "pidc1/message\x00"

// Stub is a message without its payload: what stays for ever when a payload is
// removed, and what a log's leaf commits to. A stub that is not zero is genuine.
type Stub struct {
	raw  [StubSize]byte
	hash Hash
}

// ParseStub reads the 188 bytes of a stub and checks its signature. It returns
// ErrMalformed or ErrBadSignature.
func ParseStub(b []byte) (Stub, error) {
	if len(b) != StubSize {
		return Stub{}, fmt.Errorf("stub of %d bytes, not %d: %w", len(b), StubSize, ErrMalformed)
	}
	s := Stub{raw: [StubSize]byte(b), hash: sha256.Sum256(b)}
	if err := s.checkHead(); err != nil {
		return Stub{}, err
	}
	if err := s.checkSignature(); err != nil {
		return Stub{}, err
	}
	return s, nil
}

// newStub puts a stub together without looking at it.
func newStub(head, payload, signature []byte) Stub {
	var s Stub
	digest := sha256.Sum256(payload)
	copy(s.raw[:offDigest], head)
	copy(s.raw[offDigest:], digest[:])
	copy(s.raw[offSignature:], signature)
	s.hash = sha256.Sum256(s.raw[:])
	return s
}

// checkHead refuses a head that no author writes, whoever signed it.
func (s Stub) checkHead() error {
	reason := ""
	switch {
	case string(s.raw[:len(magic)]) != magic:
		reason = "not a pidc1 message of version 1"
	case s.Mode() > Restricted:
		reason = "unknown mode"
	case binary.BigEndian.Uint16(s.raw[offReserved:]) != 0:
		reason = "reserved bits are set"
	case s.Number() == 0 && s.Prev() != Hash{}:
		reason = "first message names a previous one"
	case binary.BigEndian.Uint64(s.raw[offTime:]) > MaxUnixMilli:
		reason = "time after the year 9999"
	case !validPayloadSize(s.Mode(), s.payloadSize()):
		reason = "payload size that no body has"
	default:
		return nil
	}
	return fmt.Errorf("%s: %w", reason, ErrMalformed)
}

// checkPayload refuses a payload that the head does not describe. That its hash
// is the stub's is not checked here.
func (s Stub) checkPayload(payload []byte) error {
	if uint64(len(payload)) != uint64(s.payloadSize()) {
		return fmt.Errorf("payload of %d bytes, not %d: %w", len(payload), s.payloadSize(), ErrMalformed)
	}
	if s.Mode() == Restricted && keyStart(payload) > s.Number() {
		return fmt.Errorf("key start %d of message %d: %w", keyStart(payload), s.Number(), ErrMalformed)
	}
	return nil
}

func (s Stub) checkSignature() error {
	id := s.Channel()
	if !ed25519.Verify(id[:], signedBytes(s.raw[:offSignature]), s.raw[offSignature:]) {
		return fmt.Errorf("message %d of channel %s: %w", s.Number(), id, ErrBadSignature)
	}
	return nil
}

// signedBytes returns what an author signs, given head and payload digest.
func signedBytes(headAndDigest []byte) []byte {
	return append([]byte(messageContext), headAndDigest...)
}

// Channel returns the channel of the message.
func (s Stub) Channel() ID { return ID(s.raw[offChannel:]) }

// Mode returns the mode of the message and so of its channel.
func (s Stub) Mode() Mode { return Mode(s.raw[offMode]) }

// Number returns the place of the message in its channel; the first is 0.
func (s Stub) Number() uint64 { return binary.BigEndian.Uint64(s.raw[offNumber:]) }

// Prev returns the hash of the message before this one, zero for the first.
func (s Stub) Prev() Hash { return Hash(s.raw[offPrev:]) }

// Time returns when the author says that the message was written, in UTC and milliseconds.
func (s Stub) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(s.raw[offTime:]))).UTC()
}

// Hash returns the hash of the message.
func (s Stub) Hash() Hash { return s.hash }

// PayloadHash returns the SHA-256 of the payload.
func (s Stub) PayloadHash() [sha256.Size]byte { return [sha256.Size]byte(s.raw[offDigest:]) }

// Bytes returns a copy of the stub's 188 bytes.
func (s Stub) Bytes() []byte { return bytes.Clone(s.raw[:]) }

// MarshalText returns the stub's bytes in base64url; the zero value has none.
func (s Stub) MarshalText() ([]byte, error) {
	if s.IsZero() {
		return nil, fmt.Errorf("empty stub: %w", ErrMalformed)
	}
	return base64.RawURLEncoding.AppendEncode(nil, s.raw[:]), nil
}

// UnmarshalText reads the text form and checks it as ParseStub does.
func (s *Stub) UnmarshalText(text []byte) error {
	if len(text) != base64.RawURLEncoding.EncodedLen(StubSize) || bytes.ContainsAny(text, "\r\n") {
		return fmt.Errorf("text of a stub: %w", ErrMalformed)
	}
	b, err := base64.RawURLEncoding.Strict().AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("text of a stub is not base64url: %w", ErrMalformed)
	}
	*s, err = ParseStub(b)
	return err
}

// IsZero reports whether the stub is the zero value, which is no message's.
func (s Stub) IsZero() bool { return s.hash == Hash{} }

// Check reports whether the stub is message n of this channel, in this mode and
// after the message with hash prev: nil, ErrWrongChannel or ErrBrokenChain.
func (s Stub) Check(id ID, mode Mode, n uint64, prev Hash) error {
	switch {
	case s.Channel() != id:
		return fmt.Errorf("channel %s, not %s: %w", s.Channel(), id, ErrWrongChannel)
	case s.Number() != n:
		return fmt.Errorf("message %d, not %d: %w", s.Number(), n, ErrBrokenChain)
	case s.Prev() != prev:
		return fmt.Errorf("message %d follows %s, not %s: %w", n, s.Prev(), prev, ErrBrokenChain)
	case s.Mode() != mode:
		return fmt.Errorf("message %d is %s, not %s: %w", n, s.Mode(), mode, ErrBrokenChain)
	}
	return nil
}

func (s Stub) head() []byte { return s.raw[:headSize] }

func (s Stub) payloadSize() uint32 { return binary.BigEndian.Uint32(s.raw[offLength:]) }

func validPayloadSize(mode Mode, size uint32) bool {
	if mode == Public {
		return size <= MaxBody
	}
	return size >= sealedSize(0) && size <= sealedSize(MaxBody) && (size-sealedSize(0))%padBlock == 0
}
