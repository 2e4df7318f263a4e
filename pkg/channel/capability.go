package channel

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
)

// capabilityScheme starts every capability's text.
const capabilityScheme = "pidc1"

// maxSteps bounds how far Open turns the read key, as a number in a message is
// what its author says. It takes about two seconds.
const maxSteps = 1 << 20

// Capability is what one needs to read a channel: of a public one its id, of a
// restricted one also the read key of message From, which opens that message and
// those after it until the next rotation. A restricted one is a secret: only
// String tells it; fmt and log/slog print it without the key.
type Capability struct {
	Channel    ID
	Restricted bool
	From       uint64
	Key        ReadKey
}

// ParseCapability reads "pidc1:<channel>" or "pidc1:<channel>:<from>:<read key>",
// or returns ErrMalformed.
func ParseCapability(text string) (Capability, error) {
	parts := strings.Split(text, ":")
	if parts[0] != capabilityScheme || len(parts) != 2 && len(parts) != 4 {
		return Capability{}, fmt.Errorf("capability is not pidc1:<channel> or pidc1:<channel>:<number>:<key>: %w", ErrMalformed)
	}
	id, err := ParseID(parts[1])
	if err != nil {
		return Capability{}, fmt.Errorf("capability: %w", err)
	}
	if len(parts) == 2 {
		return Capability{Channel: id}, nil
	}
	from, err := strconv.ParseUint(parts[2], 10, 64)
	if err != nil || strconv.FormatUint(from, 10) != parts[2] {
		return Capability{}, fmt.Errorf("capability number is no number: %w", ErrMalformed) // it may be a misplaced key
	}
	key, err := parse32(parts[3])
	if err != nil {
		return Capability{}, fmt.Errorf("capability's read key: %w", ErrMalformed) // never quotes the key
	}
	return Capability{Channel: id, Restricted: true, From: from, Key: key}, nil
}

// String returns the text form: of a restricted channel the secret itself.
func (c Capability) String() string {
	if !c.Restricted {
		return c.public()
	}
	return fmt.Sprintf("%s:%d:%s", c.public(), c.From, base64.RawURLEncoding.EncodeToString(c.Key[:]))
}

// Format prints the capability without its key.
func (c Capability) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.redacted()) }

// LogValue returns the capability without its key.
func (c Capability) LogValue() slog.Value { return slog.StringValue(c.redacted()) }

func (c Capability) redacted() string {
	if !c.Restricted {
		return c.public()
	}
	return fmt.Sprintf("%s:%d:%s", c.public(), c.From, redacted)
}

func (c Capability) public() string { return capabilityScheme + ":" + c.Channel.String() }

// Open returns the body of a message of the channel. It returns ErrWrongChannel
// for another channel's, ErrCannotOpen for a message before From, behind a rotation
// or more than a million messages on (see At), and ErrMalformed as Message.Open.
func (c Capability) Open(m Message) ([]byte, error) {
	if m.Channel() != c.Channel {
		return nil, fmt.Errorf("channel %s, not %s: %w", m.Channel(), c.Channel, ErrWrongChannel)
	}
	if !c.Restricted {
		return m.Body()
	}
	at, err := c.At(m.Number())
	if err != nil {
		return nil, err
	}
	return m.Open(at.Key)
}

// At returns the capability from message n ≥ From on. A reader of many messages
// keeps it, since each step takes time. It returns ErrCannotOpen where n is before
// From or more than a million messages after it.
func (c Capability) At(n uint64) (Capability, error) {
	if !c.Restricted {
		return c, nil
	}
	if n < c.From || n-c.From > maxSteps {
		return Capability{}, fmt.Errorf("message %d with the key of message %d: %w", n, c.From, ErrCannotOpen)
	}
	r := ratchet{number: c.From, key: c.Key}
	r.advance(n)
	c.From, c.Key = n, r.key
	return c, nil
}
