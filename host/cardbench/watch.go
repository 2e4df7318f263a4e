package cardbench

import (
	"fmt"
	"time"

	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
)

// watch is a card whose commands are timed. Only commands that the card answered with 9000 are noted.
type watch struct {
	card  apdu.Transmitter
	now   func() time.Time
	lines []*line
	file  uint16 // selected
}

// line is what was seen of one kind of command.
type line struct {
	name           string
	sent, answered int // bytes of the last one
	took           []time.Duration
}

// Transmit passes a command on and notes how long its answer took.
func (w *watch) Transmit(command []byte) ([]byte, error) {
	start := w.now()
	answer, err := w.card.Transmit(command)
	took := w.now().Sub(start)
	if err != nil {
		return nil, err
	}
	parsed, malformed := apdu.ParseCommand(command)
	if _, status, err := apdu.ParseAnswer(answer); err == nil && malformed == nil && status == apdu.StatusOK {
		w.note(parsed, len(command), len(answer), took)
	}
	return answer, nil
}

func (w *watch) note(c apdu.Command, sent, answered int, took time.Duration) {
	name := w.nameOf(c)
	for _, l := range w.lines {
		if l.name == name {
			l.sent, l.answered, l.took = sent, answered, append(l.took, took)
			return
		}
	}
	w.lines = append(w.lines, &line{name, sent, answered, []time.Duration{took}})
}

const (
	fileCC     = 0xE103
	readLength = "READ NLEN" // where a card counts and signs
)

// nameOf says what a command is for. It follows which file is selected.
func (w *watch) nameOf(c apdu.Command) string {
	isTag := c.CLA == 0
	switch {
	case isTag && c.INS == apdu.InsSelect && c.P1 == apdu.P1SelectByName:
		w.file = 0
		return "SELECT application"
	case isTag && c.INS == apdu.InsSelect && len(c.Data) == 2:
		w.file = uint16(c.Data[0])<<8 | uint16(c.Data[1])
		if w.file == fileCC {
			return "SELECT capability container"
		}
		return "SELECT NDEF file"
	case isTag && c.INS == apdu.InsReadBinary && w.file == fileCC:
		return "READ capability container"
	case isTag && c.INS == apdu.InsReadBinary && c.P1 == 0 && c.P2 == 0:
		return readLength
	case isTag && c.INS == apdu.InsReadBinary:
		return fmt.Sprintf("READ message at %d", int(c.P1)<<8|int(c.P2))
	}
	return card.Words(c)
}
