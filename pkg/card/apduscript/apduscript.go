// Package apduscript plays the read sequences of testdata/apdu, which say what phones and other readers send, on a card. The format
// is described in testdata/apdu/README.md; the applet's own tests play the same files.
package apduscript

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/tap"
)

// Card is a card that can be activated anew.
type Card interface {
	apdu.Transmitter
	Reset() error
}

// Run plays a script on a locked card. The error names the line that the card did not fulfil, or that is no line of a script; or a
// message that is not a tap of this card. The card uses up as many counts as the script says.
func Run(c Card, script io.Reader) error {
	p := &player{card: c}
	if err := p.begin(); err != nil {
		return fmt.Errorf("before the first line: %w", err)
	}
	lines := bufio.NewScanner(script)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := p.step(line); err != nil {
			return fmt.Errorf("line %d: %s: %w", number, line, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the script: %w", err)
	}
	if !p.ended {
		return errors.New("the script does not end with its count")
	}
	return p.verify()
}

// player is a card in the middle of a script.
type player struct {
	card     Card
	key      tap.Key
	start    uint32 // counter before the script
	answer   []byte // the last one, whole
	nlen     int
	messages [][]byte
	ended    bool
}

func (p *player) begin() error {
	client, err := p.open()
	if err != nil {
		return err
	}
	if p.key, err = client.Key(); err != nil {
		return err
	}
	if p.start, err = counter(client); err != nil {
		return err
	}
	return p.card.Reset()
}

func (p *player) open() (*card.Client, error) {
	if err := p.card.Reset(); err != nil {
		return nil, err
	}
	return card.Open(p.card)
}

func counter(client *card.Client) (uint32, error) {
	info, err := client.Info()
	return info.Counter, err
}

func (p *player) step(line string) error {
	if p.ended {
		return errors.New("a line behind the count")
	}
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "activate":
		return p.card.Reset()
	case ">":
		return p.send(rest)
	case "<":
		return p.match(rest)
	case "read":
		return p.read(rest)
	case "expect":
		return p.expect(rest)
	}
	return errors.New("no such line")
}

func (p *player) send(text string) error {
	command, err := hex.DecodeString(text)
	if err != nil {
		return err
	}
	p.answer, err = p.card.Transmit(command)
	return err
}

// placeholders of a pattern, as regular expressions over the answer in lower-case hexadecimal.
var placeholders = strings.NewReplacer(" ", "", "{nlen}", "(?P<nlen>.{4})", "{cc}", ".{30}", "{data}", "(?:..)*")

func (p *player) match(pattern string) error {
	expression, err := regexp.Compile("^" + placeholders.Replace(strings.ToLower(pattern)) + "$")
	if err != nil {
		return err
	}
	answer := hex.EncodeToString(p.answer)
	found := expression.FindStringSubmatch(answer)
	if found == nil {
		return fmt.Errorf("the answer is %s", answer)
	}
	if at := expression.SubexpIndex("nlen"); at > 0 {
		nlen, err := strconv.ParseUint(found[at], 16, 16)
		if err != nil {
			return err
		}
		p.nlen = int(nlen)
	}
	return nil
}

// read reads a message in one of the two ways that readers have.
func (p *player) read(arguments string) error {
	size, overruns := strings.CutSuffix(arguments, " overrun")
	chunk, err := strconv.Atoi(size)
	if err != nil || chunk < 1 || chunk > apdu.MaxAnswer {
		return fmt.Errorf("chunk %q: want 1 to %d", size, apdu.MaxAnswer)
	}
	readAll := p.readExactly
	if overruns {
		readAll = p.readOver
	}
	message, err := readAll(chunk)
	p.messages = append(p.messages, message)
	return err
}

const nlenLength = 2

// readExactly asks from offset 2 on for no more than there is.
func (p *player) readExactly(chunk int) ([]byte, error) {
	var message []byte
	for len(message) < p.nlen {
		le := min(chunk, p.nlen-len(message))
		data, err := apdu.Send(p.card, apdu.ReadBinary(uint16(nlenLength+len(message)), le))
		if err != nil {
			return nil, err
		}
		if len(data) != le {
			return nil, fmt.Errorf("%d bytes at %d when asked for %d", len(data), nlenLength+len(message), le)
		}
		message = append(message, data...)
	}
	return message, nil
}

// readOver asks from offset 0 on for whole chunks, beyond the end.
func (p *player) readOver(chunk int) ([]byte, error) {
	var file []byte
	end := nlenLength + p.nlen
	for len(file) < end {
		data, err := apdu.Send(p.card, apdu.ReadBinary(uint16(len(file)), chunk))
		if err != nil {
			return nil, err
		}
		if len(data) != chunk && len(file)+len(data) < end {
			return nil, fmt.Errorf("%d bytes at %d before the end", len(data), len(file))
		}
		file = append(file, data...)
	}
	if len(file) != end || int(file[0])<<8|int(file[1]) != p.nlen {
		return nil, fmt.Errorf("a file of %d bytes with the length %x: want %d", len(file), file[:nlenLength], p.nlen)
	}
	return file[nlenLength:], nil
}

func (p *player) expect(what string) error {
	if len(p.messages) == 0 {
		return errors.New("no message was read")
	}
	last, before := p.messages[len(p.messages)-1], p.messages[:len(p.messages)-1]
	switch what {
	case "same message":
		for _, message := range before {
			if !bytes.Equal(message, last) {
				return errors.New("the messages differ")
			}
		}
		return nil
	case "new message":
		for _, message := range before {
			if bytes.Equal(message, last) {
				return errors.New("it is an old one")
			}
		}
		return nil
	}
	return p.expectCounts(what)
}

func (p *player) expectCounts(what string) error {
	p.ended = true
	client, err := p.open()
	if err != nil {
		return err
	}
	now, err := counter(client)
	if err != nil {
		return err
	}
	if counts := fmt.Sprintf("counts %d", now-p.start); counts != what {
		return fmt.Errorf("it was: %s", counts)
	}
	return nil
}

// verify checks that each message is a tap of this card.
func (p *player) verify() error {
	for i, message := range p.messages {
		text, err := ndef.ParseURI(message)
		if err != nil {
			return fmt.Errorf("message %d: %w", i+1, err)
		}
		u, err := tap.Parse(text)
		if err == nil {
			err = u.Verify(p.key)
		}
		if err != nil {
			return fmt.Errorf("message %d: %s: %w", i+1, text, err)
		}
	}
	return nil
}
