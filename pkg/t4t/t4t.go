// Package t4t reads an NFC Forum Type 4 Tag (mapping version 2.0) the way a phone does: application, capability container, file,
// length, data. Sources: T4T 2.0 §5; what readers do beyond it is in testdata/apdu/README.md.
package t4t

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/productid/productid/pkg/apdu"
)

// What can be wrong with a tag, beside the transmitter's errors and status words that are passed on.
var (
	// ErrNoTag says that the card has no NDEF application.
	ErrNoTag = errors.New("not an NFC tag of type 4")
	// ErrMalformed says that the tag does not follow the standard, so that phones would not read it.
	ErrMalformed = errors.New("malformed tag")
)

const (
	aid    = "\xD2\x76\x00\x00\x85\x01\x01" // NDEF application, mapping version 2.0; T4T 2.0 §5.2.1
	fileCC = 0xE103

	containerLength = 15
	mappingMajor    = 2
	ndefControlTag  = 0x04
	ndefControlLen  = 0x06
	nlenLength      = 2
	readFree        = 0x00
	writeNever      = 0xFF

	minMaxRead  = 0x0F
	minFileSize = 5
	maxFileSize = 0x7FFF
	maxChunk    = 0xFF // phones never ask for 256 bytes; some readers cannot

	// safeChunk is what is asked for after a reader refused more: the ACR122U answers 6F00 for Le above 3B, and libhalo's choice
	// of 30 is known to work everywhere.
	safeChunk = 0x30
)

// MaxMessage is the length in bytes of the longest message that Read takes: twice the longest tap URL. A tag that announces more, and
// then answers byte by byte, would keep a reader for minutes.
const MaxMessage = 4096

// Message is what one selection served.
type Message struct {
	CC   []byte // capability container, 15 bytes, checked; ParseContainer takes it apart
	NDEF []byte // the message without its length; empty on a card that has no URL yet
}

// Read selects the tag and reads it once. On one of our cards this uses up one count, and everything read belongs to that count.
//
// If the reader refuses long answers (6F00 or 6700), Read goes on in the same selection with shorter ones: no further count is
// used up. The error is ErrNoTag, ErrMalformed, another apdu.Status, or the Transmitter's; after the last, a count may be used
// up that nobody has seen.
func Read(t apdu.Transmitter) (Message, error) {
	if err := selectTag(t); err != nil {
		return Message{}, err
	}
	cc, err := readContainer(t)
	if err != nil {
		return Message{}, fmt.Errorf("reading the capability container: %w", err)
	}
	container, err := ParseContainer(cc)
	if err != nil {
		return Message{}, err
	}
	if _, err := apdu.Send(t, apdu.SelectFile(container.File)); err != nil {
		return Message{}, fmt.Errorf("selecting the NDEF file: %w", wrap(err))
	}
	message, err := readFile(t, container)
	if err != nil {
		return Message{}, fmt.Errorf("reading the NDEF file: %w", err)
	}
	return Message{CC: cc, NDEF: message}, nil
}

func selectTag(t apdu.Transmitter) error {
	_, err := apdu.Send(t, apdu.Select([]byte(aid)))
	var status apdu.Status
	if errors.As(err, &status) {
		return fmt.Errorf("%w: %w", ErrNoTag, status)
	}
	return wrap(err)
}

// wrap makes an answer that is none an error of this package.
func wrap(err error) error {
	if errors.Is(err, apdu.ErrMalformed) {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return err
}

func readContainer(t apdu.Transmitter) ([]byte, error) {
	if _, err := apdu.Send(t, apdu.SelectFile(fileCC)); err != nil {
		return nil, wrap(err)
	}
	cc, err := apdu.Send(t, apdu.ReadBinary(0, containerLength))
	return cc, wrap(err)
}

// Container is a capability container: how the tag wants to be read.
type Container struct {
	MaxRead  int    // most bytes to ask for at once (MLe)
	MaxWrite int    // most bytes to write at once (MLc)
	File     uint16 // the NDEF file
	FileSize int    // its size, with the two bytes of the message's length
	ReadOnly bool   // nobody may write the file
}

// ParseContainer reads a capability container of mapping version 2 and checks it as strictly as the strictest phone. The error is
// ErrMalformed.
func ParseContainer(b []byte) (Container, error) {
	if len(b) != containerLength || int(binary.BigEndian.Uint16(b)) < containerLength {
		return Container{}, fmt.Errorf("%w: capability container of %d bytes: want %d", ErrMalformed, len(b), containerLength)
	}
	if b[2]>>4 != mappingMajor || b[7] != ndefControlTag || b[8] != ndefControlLen {
		return Container{}, fmt.Errorf("%w: capability container is not of mapping version 2", ErrMalformed)
	}
	c := Container{
		MaxRead:  int(binary.BigEndian.Uint16(b[3:])),
		MaxWrite: int(binary.BigEndian.Uint16(b[5:])),
		File:     binary.BigEndian.Uint16(b[9:]),
		FileSize: int(binary.BigEndian.Uint16(b[11:])),
		ReadOnly: b[14] == writeNever,
	}
	if b[13] != readFree {
		return Container{}, fmt.Errorf("%w: the NDEF file must not be read", ErrMalformed)
	}
	return c, c.check()
}

func (c Container) check() error {
	reserved := []uint16{0x0000, 0xE102, fileCC, 0x3F00, 0x3FFF, 0xFFFF}
	switch {
	case c.MaxRead < minMaxRead || c.MaxWrite < 1:
		return fmt.Errorf("%w: capability container allows %d bytes to be read and %d written at once", ErrMalformed, c.MaxRead, c.MaxWrite)
	case slices.Contains(reserved, c.File):
		return fmt.Errorf("%w: NDEF file %04X", ErrMalformed, c.File)
	case c.FileSize < minFileSize || c.FileSize > maxFileSize:
		return fmt.Errorf("%w: NDEF file of %d bytes", ErrMalformed, c.FileSize)
	}
	return nil
}

// readFile reads the length, then the message in chunks.
func readFile(t apdu.Transmitter, c Container) ([]byte, error) {
	nlen, err := apdu.Send(t, apdu.ReadBinary(0, nlenLength))
	if err != nil {
		return nil, wrap(err)
	}
	if len(nlen) != nlenLength {
		return nil, fmt.Errorf("%w: message length of %d bytes", ErrMalformed, len(nlen))
	}
	end := nlenLength + int(binary.BigEndian.Uint16(nlen))
	if end > c.FileSize {
		return nil, fmt.Errorf("%w: a message of %d bytes in a file of %d", ErrMalformed, end-nlenLength, c.FileSize)
	}
	if end > nlenLength+MaxMessage {
		return nil, fmt.Errorf("%w: a message of %d bytes: want at most %d", ErrMalformed, end-nlenLength, MaxMessage)
	}
	var message bytes.Buffer
	chunk := min(c.MaxRead, maxChunk)
	for at := nlenLength; at < end; at = nlenLength + message.Len() {
		data, err := apdu.Send(t, apdu.ReadBinary(uint16(at), min(chunk, end-at)))
		if refusesLength(err) && chunk > safeChunk {
			chunk = safeChunk
			continue
		}
		if err != nil {
			return nil, wrap(err)
		}
		if len(data) == 0 || len(data) > min(chunk, end-at) {
			return nil, fmt.Errorf("%w: %d bytes at %d when asked for %d", ErrMalformed, len(data), at, min(chunk, end-at))
		}
		message.Write(data)
	}
	return message.Bytes(), nil
}

func refusesLength(err error) bool {
	return errors.Is(err, apdu.StatusUnknown) || errors.Is(err, apdu.StatusWrongLength)
}
