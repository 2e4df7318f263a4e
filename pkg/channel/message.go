package channel

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"
)

const minMessage = headSize + ed25519.SignatureSize

// Message is one genuine message of a channel. It cannot be changed, and is made
// only by Author.Sign, Parse, FromStub and Tombstone. Text form: its bytes in
// base64url.
type Message struct {
	stub    Stub
	payload []byte
	removed bool
}

// Parse reads a message and checks its signature, not its place in a channel:
// that is Check. It returns ErrMalformed or ErrBadSignature and keeps no part of b.
func Parse(b []byte) (Message, error) {
	if len(b) < minMessage || len(b) > MaxMessage {
		return Message{}, fmt.Errorf("message of %d bytes, not %d to %d: %w", len(b), minMessage, MaxMessage, ErrMalformed)
	}
	end := len(b) - ed25519.SignatureSize
	stub := newStub(b[:headSize], b[headSize:end], b[end:])
	if err := stub.checkHead(); err != nil {
		return Message{}, err
	}
	if err := stub.checkPayload(b[headSize:end]); err != nil {
		return Message{}, err
	}
	if err := stub.checkSignature(); err != nil {
		return Message{}, err
	}
	return Message{stub: stub, payload: bytes.Clone(b[headSize:end])}, nil
}

// FromStub puts a message together again from its stub and its payload. It
// returns ErrMalformed when the payload is not the one that the stub commits to.
func FromStub(stub Stub, payload []byte) (Message, error) {
	if stub.IsZero() {
		return Message{}, fmt.Errorf("empty stub: %w", ErrMalformed)
	}
	if err := stub.checkPayload(payload); err != nil {
		return Message{}, err
	}
	if sha256.Sum256(payload) != [sha256.Size]byte(stub.raw[offDigest:]) {
		return Message{}, fmt.Errorf("payload of another message: %w", ErrMalformed)
	}
	return Message{stub: stub, payload: bytes.Clone(payload)}, nil
}

// Tombstone returns the message of which only the stub is left: as genuine as it was,
// but what it carried is nowhere any more. The zero Stub gives the zero Message.
func Tombstone(stub Stub) Message { return Message{stub: stub, removed: !stub.IsZero()} }

// Removed reports whether the message's payload was removed: see Tombstone.
func (m Message) Removed() bool { return m.removed }

// Channel returns the channel of the message.
func (m Message) Channel() ID { return m.stub.Channel() }

// Mode returns the mode of the message and so of its channel.
func (m Message) Mode() Mode { return m.stub.Mode() }

// Number returns the place of the message in its channel; the first is 0.
func (m Message) Number() uint64 { return m.stub.Number() }

// Prev returns the hash of the message before this one, zero for the first.
func (m Message) Prev() Hash { return m.stub.Prev() }

// Time returns when the author says that the message was written, in UTC and milliseconds.
func (m Message) Time() time.Time { return m.stub.Time() }

// Hash returns the hash of the message.
func (m Message) Hash() Hash { return m.stub.Hash() }

// Stub returns the message without its payload.
func (m Message) Stub() Stub { return m.stub }

// IsZero reports whether this is the zero value, which is no message.
func (m Message) IsZero() bool { return m.stub.IsZero() }

// Check reports whether this is message n of the channel, in this mode and after
// the message with hash prev: nil, ErrWrongChannel or ErrBrokenChain.
func (m Message) Check(id ID, mode Mode, n uint64, prev Hash) error {
	return m.stub.Check(id, mode, n, prev)
}

// Payload returns a copy of what the message carries: the body, or in a
// restricted channel its encryption; nothing when it was removed.
func (m Message) Payload() []byte { return bytes.Clone(m.payload) }

// KeyStart returns the number of the message with which the read keys of this
// one start; 0 in a public channel, and where the payload that says it was removed.
func (m Message) KeyStart() uint64 {
	if m.Mode() == Public || m.removed {
		return 0
	}
	return keyStart(m.payload)
}

// Body returns a copy of the body of a public message, ErrRemoved for one whose
// payload was removed, and ErrCannotOpen for a restricted one, which needs a key: see
// Open and Capability.Open.
func (m Message) Body() ([]byte, error) {
	if m.removed {
		return nil, fmt.Errorf("message %d of channel %s: %w", m.Number(), m.Channel(), ErrRemoved)
	}
	if m.Mode() == Restricted {
		return nil, fmt.Errorf("message %d is restricted: %w", m.Number(), ErrCannotOpen)
	}
	return m.Payload(), nil
}

// Open returns the body of a restricted message, given the message's own key. It
// returns ErrCannotOpen for another key, ErrMalformed when the author put no proper
// body inside, and ErrRemoved. A public message opens with any key.
func (m Message) Open(key ReadKey) ([]byte, error) {
	if m.Mode() == Public || m.removed {
		return m.Body()
	}
	body, err := unseal(key, m.stub.head(), m.payload)
	if err != nil {
		return nil, fmt.Errorf("opening message %d: %w", m.Number(), err)
	}
	return body, nil
}

// Bytes returns the whole message, as it is sent and served: head, payload,
// signature. The zero value, and a message whose payload was removed, has none.
func (m Message) Bytes() []byte {
	if m.IsZero() || m.removed {
		return nil
	}
	b := make([]byte, 0, minMessage+len(m.payload))
	b = append(b, m.stub.head()...)
	b = append(b, m.payload...)
	return append(b, m.stub.raw[offSignature:]...)
}

// MarshalText returns the message's bytes in base64url. The zero value has none, nor
// has a message whose payload was removed: ErrRemoved.
func (m Message) MarshalText() ([]byte, error) {
	if m.removed {
		return nil, fmt.Errorf("text of message %d: %w", m.Number(), ErrRemoved)
	}
	if m.IsZero() {
		return nil, fmt.Errorf("empty message: %w", ErrMalformed)
	}
	return base64.RawURLEncoding.AppendEncode(nil, m.Bytes()), nil
}

// UnmarshalText reads the text form and checks it as Parse does.
func (m *Message) UnmarshalText(text []byte) error {
	if len(text) > base64.RawURLEncoding.EncodedLen(MaxMessage) || bytes.ContainsAny(text, "\r\n") {
		return fmt.Errorf("text of a message: %w", ErrMalformed)
	}
	b, err := base64.RawURLEncoding.Strict().AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("text of a message is not base64url: %w", ErrMalformed)
	}
	*m, err = Parse(b)
	return err
}
