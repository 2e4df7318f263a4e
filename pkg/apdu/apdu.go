// Package apdu builds, sends and reads the commands of ISO/IEC 7816-4, in their short form: at most 255 bytes to the card and
// 256 back. That is all our cards and Type 4 Tags understand.
package apdu

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// ErrMalformed says that a command cannot be written or read in the short form, or that what came back is no answer.
var ErrMalformed = errors.New("malformed")

// Transmitter takes a command to a card and brings back its answer, data and status word. *scard.Card is one.
//
// An error means that no answer came. The card may or may not have carried the command out: whoever sent something that changes
// the card asks it again after the connection stands again. A Transmitter serves one caller at a time.
type Transmitter interface {
	Transmit(command []byte) ([]byte, error)
}

// Limits of the short form, in bytes.
const (
	MaxData   = 255
	MaxAnswer = 256
)

// Instructions and parameters of ISO/IEC 7816-4 that are used here.
const (
	InsSelect     = 0xA4
	InsReadBinary = 0xB0

	P1SelectFile    = 0x00
	P1SelectByName  = 0x04
	P2SelectNoReply = 0x0C
)

// Command is one command APDU.
type Command struct {
	CLA, INS, P1, P2 byte
	Data             []byte // at most MaxData bytes
	Ne               int    // the most bytes of data wanted back, 0 to MaxAnswer; 0 for none
}

// Bytes returns the command as it is sent. The error is ErrMalformed.
func (c Command) Bytes() ([]byte, error) {
	if len(c.Data) > MaxData {
		return nil, fmt.Errorf("%w: command with %d bytes of data: want at most %d", ErrMalformed, len(c.Data), MaxData)
	}
	if c.Ne < 0 || c.Ne > MaxAnswer {
		return nil, fmt.Errorf("%w: command for %d bytes of answer: want 0 to %d", ErrMalformed, c.Ne, MaxAnswer)
	}
	b := append(make([]byte, 0, 6+len(c.Data)), c.CLA, c.INS, c.P1, c.P2)
	if len(c.Data) > 0 {
		b = append(append(b, byte(len(c.Data))), c.Data...)
	}
	if c.Ne > 0 {
		b = append(b, byte(c.Ne)) // 256 is written as 00
	}
	return b, nil
}

// ParseCommand reads a command APDU of the short form. Data shares memory with b. The error is ErrMalformed.
func ParseCommand(b []byte) (Command, error) {
	const header = 4
	if len(b) < header {
		return Command{}, fmt.Errorf("%w: command of %d bytes: want at least %d", ErrMalformed, len(b), header)
	}
	c := Command{CLA: b[0], INS: b[1], P1: b[2], P2: b[3]}
	body := b[header:]
	if len(body) > 1 {
		lc := int(body[0])
		if lc == 0 || len(body) < 1+lc {
			return Command{}, fmt.Errorf("%w: command announces %d bytes of data and holds %d", ErrMalformed, lc, len(body)-1)
		}
		c.Data, body = body[1:1+lc], body[1+lc:]
	}
	switch len(body) {
	case 0:
	case 1:
		c.Ne = answerLen(body[0])
	default:
		return Command{}, fmt.Errorf("%w: %d bytes after the command's data", ErrMalformed, len(body))
	}
	return c, nil
}

func answerLen(le byte) int {
	if le == 0 {
		return MaxAnswer
	}
	return int(le)
}

// String says the command in words: "SELECT D2760000850101", "READ BINARY at 2, 246 bytes", or class, instruction and
// parameters where the standard gives no name.
func (c Command) String() string {
	data := strings.ToUpper(hex.EncodeToString(c.Data))
	switch {
	case c.CLA == 0 && c.INS == InsSelect && c.P1 == P1SelectByName:
		return "SELECT " + data
	case c.CLA == 0 && c.INS == InsSelect && c.P1 == P1SelectFile:
		return "SELECT file " + data
	case c.CLA == 0 && c.INS == InsReadBinary && c.P1 < 0x80:
		return fmt.Sprintf("READ BINARY at %d, %d bytes", int(c.P1)<<8|int(c.P2), c.Ne)
	}
	return fmt.Sprintf("%02X %02X %02X %02X, %d bytes of data", c.CLA, c.INS, c.P1, c.P2, len(c.Data))
}

// Select is the command that selects an application by its name.
func Select(aid []byte) Command {
	return Command{INS: InsSelect, P1: P1SelectByName, Data: aid, Ne: MaxAnswer}
}

// SelectFile is the command that selects a file and wants no answer but the status.
func SelectFile(id uint16) Command {
	return Command{INS: InsSelect, P1: P1SelectFile, P2: P2SelectNoReply, Data: []byte{byte(id >> 8), byte(id)}}
}

// ReadBinary is the command that reads n bytes (1 to MaxAnswer) of the selected file from offset (below 0x8000) on.
func ReadBinary(offset uint16, n int) Command {
	return Command{INS: InsReadBinary, P1: byte(offset >> 8), P2: byte(offset), Ne: n}
}

// Send sends the command and returns the answer's data. A status other than 9000 is an error of type Status, and the data are
// dropped. ErrMalformed means that the command cannot be sent or that the answer is none. Any other error is the Transmitter's:
// whether the card carried the command out is unknown. Nothing is repeated.
func Send(t Transmitter, c Command) ([]byte, error) {
	command, err := c.Bytes()
	if err != nil {
		return nil, err
	}
	answer, err := t.Transmit(command)
	if err != nil {
		return nil, fmt.Errorf("sending %v: %w", c, err)
	}
	data, status, err := ParseAnswer(answer)
	if err != nil {
		return nil, fmt.Errorf("answer to %v: %w", c, err)
	}
	if status != StatusOK {
		return nil, status
	}
	return data, nil
}

// ParseAnswer splits an answer into data and status word. Data shares memory with b. The error is ErrMalformed.
func ParseAnswer(b []byte) ([]byte, Status, error) {
	const statusLen = 2
	n := len(b) - statusLen
	if n < 0 || n > MaxAnswer {
		return nil, 0, fmt.Errorf("%w: answer of %d bytes: want %d to %d", ErrMalformed, len(b), statusLen, MaxAnswer+statusLen)
	}
	return b[:n], Status(b[n])<<8 | Status(b[n+1]), nil
}
