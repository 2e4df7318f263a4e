package channel

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"
)

// Inputs of HKDF: the salt of this format, and what each derived key is for.
const (
	hkdfSalt    = "pidc1"
	infoAuthor  = "author"
	infoRead    = "read"
	infoNext    = "next"
	infoContent = "content"
	infoChannel = "channel\x00"
)

// redacted is how a secret prints.
const redacted = "[redacted]"

// Seed is the secret that a channel, or a service's master secret, is made of.
// Who holds a channel's seed writes it and reads it. It prints and marshals as
// "[redacted]"; conversion to a byte slice is the one way to store it.
type Seed [32]byte

// String returns "[redacted]".
func (Seed) String() string { return redacted }

// GoString returns "[redacted]".
func (Seed) GoString() string { return redacted }

// Format prints "[redacted]" for every verb.
func (Seed) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue returns "[redacted]".
func (Seed) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (Seed) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[redacted]" as a JSON string.
func (Seed) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// ReadKey opens the restricted message that it belongs to and leads to the keys
// of all messages after it until the next rotation. It prints and marshals as
// "[redacted]"; [Capability.String] is the one text that holds it.
type ReadKey [32]byte

// String returns "[redacted]".
func (ReadKey) String() string { return redacted }

// GoString returns "[redacted]".
func (ReadKey) GoString() string { return redacted }

// Format prints "[redacted]" for every verb.
func (ReadKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue returns "[redacted]".
func (ReadKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[redacted]".
func (ReadKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON returns "[redacted]" as a JSON string.
func (ReadKey) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Next returns the key of the message after this one. There is no way back.
func (k ReadKey) Next() ReadKey { return expand(k, infoNext) }

// DeriveSeed returns the seed of the channel that a service with this master
// secret names so, such as "card/<id>/taps". A new generation gives new channels
// under the same names.
func DeriveSeed(master Seed, generation uint32, name string) Seed {
	info := binary.BigEndian.AppendUint32([]byte(infoChannel), generation)
	return expand(master, string(info)+name)
}

// DeriveKey returns a key for another purpose than a channel, which info names.
func DeriveKey(master Seed, info string) [32]byte { return expand(master, info) }

// readKeyAt returns the first key of a key start.
func readKeyAt(seed Seed, keyStart uint64) ReadKey {
	return expand(seed, string(binary.BigEndian.AppendUint64([]byte(infoRead), keyStart)))
}

// expand is HKDF-SHA256 with this format's salt.
func expand(secret [32]byte, info string) [32]byte {
	key, err := hkdf.Key(sha256.New, secret[:], []byte(hkdfSalt), info, 32)
	if err != nil {
		panic(err) // only for a key of more than 8,160 bytes
	}
	return [32]byte(key)
}
