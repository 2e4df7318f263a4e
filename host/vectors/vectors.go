// Package vectors runs files of test vectors against this build: those of testdata/vectors, and those that somebody else's
// implementation wrote. Each vector names the class of answer it expects, "ok" or that of a failure (tap.Class,
// channel.Class, "invalid_proof"); a vector that is answered otherwise is a difference.
package vectors

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrMalformed says that a text is no file of vectors of a format known here.
var ErrMalformed = errors.New("no file of vectors")

// Tally counts vectors and keeps those that differ. JSON names are stable. The zero Tally has counted none; it must not be
// used by several goroutines at once.
type Tally struct {
	Vectors int          `json:"vectors"`
	Differ  []Difference `json:"differ"`
	file    string
}

// Difference is a vector that this build answers otherwise than its file expects.
type Difference struct {
	File string `json:"file"` // its name, as Run was told
	Name string `json:"name"` // the vector's
	Want string `json:"want"`
	Got  string `json:"got"`
}

// Run runs the vectors of one file, whose text is a JSON object with the format "tap v1", "pidc1" or "proofs v1". The error is
// ErrMalformed, also for a file with no vectors in it; then none of the file's vectors was counted.
func (t *Tally) Run(file string, text []byte) error {
	before := t.Vectors
	t.file = file
	if err := t.run(text); err != nil {
		return err
	}
	if t.Vectors == before {
		return fmt.Errorf("%w: no vectors in it", ErrMalformed)
	}
	return nil
}

func (t *Tally) run(text []byte) error {
	var head struct{ Format string }
	if err := json.Unmarshal(text, &head); err != nil {
		return malformed(err)
	}
	switch head.Format {
	case "tap v1":
		return t.taps(text)
	case "pidc1":
		return t.channels(text)
	case "proofs v1":
		return t.proofs(text)
	}
	return fmt.Errorf("%w: its format is %.20q", ErrMalformed, head.Format)
}

func malformed(err error) error { return fmt.Errorf("%w: %w", ErrMalformed, err) }

// compare counts one vector.
func (t *Tally) compare(name, want, got string) {
	t.Vectors++
	if want != got {
		t.Differ = append(t.Differ, Difference{t.file, name, want, got})
	}
}

// different names an answer of the right class whose bytes are other ones.
const different = "ok, with other bytes"

// hexText is bytes as the vectors write them.
type hexText []byte

// UnmarshalText reads hexadecimal digits.
func (h *hexText) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}
