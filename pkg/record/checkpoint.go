package record

import "reflect"

// KindLogCheckpoint is the kind of the record that puts a log's checkpoint on another ledger. It decides nothing of a card, so
// Fold ignores it and Parse gives it no Value; ParseLogCheckpoint reads it.
const KindLogCheckpoint = "log.checkpoint"

// LogCheckpoint is a checkpoint of a log, recorded on another ledger.
type LogCheckpoint struct {
	Checkpoint string `json:"checkpoint"` // text of the signed note
}

// Encode returns the body of a message. The error is ErrMalformed.
func (b LogCheckpoint) Encode() ([]byte, error) { return encode(KindLogCheckpoint, b) }

func (b LogCheckpoint) check() error {
	if b.Checkpoint == "" {
		return malformed("no checkpoint")
	}
	return checkTexts(b.Checkpoint)
}

// ParseLogCheckpoint reads a body that is such a record. Who signed the checkpoint is for whoever has the log's key. The error
// is ErrMalformed.
func ParseLogCheckpoint(body []byte) (LogCheckpoint, error) {
	r, err := Parse(body)
	if err != nil {
		return LogCheckpoint{}, err
	}
	if r.Kind != KindLogCheckpoint {
		return LogCheckpoint{}, malformed("kind %.40q: want %q", r.Kind, KindLogCheckpoint)
	}
	o, err := parseObject(body)
	if err != nil {
		return LogCheckpoint{}, err
	}
	var b LogCheckpoint
	if err := o.fill(reflect.ValueOf(&b).Elem()); err != nil {
		return LogCheckpoint{}, err
	}
	return b, b.check()
}
