package record

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
	return readAs[LogCheckpoint](body, KindLogCheckpoint)
}

// readAs reads a body of one kind that Parse gives no Value.
func readAs[B body](text []byte, kind string) (B, error) {
	var b B
	r, err := Parse(text)
	if err != nil {
		return b, err
	}
	if r.Kind != kind {
		return b, malformed("kind %.40q: want %q", r.Kind, kind)
	}
	o, err := parseObject(text)
	if err != nil {
		return b, err
	}
	value, err := read[B](o)
	if err != nil {
		return b, err
	}
	return value.(B), nil
}
