package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/productid/productid/host/ledger/tiles"
	"github.com/productid/productid/host/ledger/tlog"
)

// ErrBroken says that a log's key signed what no log may: see Evidence.
var ErrBroken = errors.New("log broke its word")

// Evidence is what shows that a log broke its word. Whoever has the log's verifier key
// can check both checkpoints. It is an error: ErrBroken.
type Evidence struct {
	Why   string    `json:"why"`
	Found time.Time `json:"found"`
	// Kept is the checkpoint that the mirror or the witness had, empty for none.
	Kept string `json:"kept"`
	// Got is the checkpoint that contradicts it, or that covers a message out of place.
	Got string `json:"got"`
	// File is where the evidence is kept.
	File string `json:"-"`
}

// Error says what the log did and where the evidence is.
func (e *Evidence) Error() string {
	return fmt.Sprintf("%v: %s; the evidence is in %s", ErrBroken, e.Why, e.File)
}

// Unwrap returns ErrBroken.
func (e *Evidence) Unwrap() error { return ErrBroken }

// judge makes evidence of an error that only a dishonest or damaged log gives, and
// keeps it before anything else happens.
func (m *Mirror) judge(ctx context.Context, t *tiles.Tree, err error) error {
	e := &Evidence{Why: err.Error(), Found: m.o.Now().UTC().Truncate(time.Second), File: filepath.Join(m.o.Dir, fileEvidence)}
	rewritten, ok := errors.AsType[*tiles.Rewritten](err)
	switch {
	case ok:
		e.Why, e.Kept, e.Got = rewritten.Why, string(rewritten.Kept), string(rewritten.Got)
	case t != nil && (errors.Is(err, tiles.ErrNoMessage) || errors.Is(err, tlog.ErrBreach) || errors.Is(err, tlog.ErrForked) || errors.Is(err, tlog.ErrRolledBack)):
		kept, err := m.log.Checkpoint(ctx)
		if err != nil && !errors.Is(err, tlog.ErrNoCheckpoint) {
			return err
		}
		e.Kept, e.Got = string(kept), string(t.Text)
	default:
		return err
	}
	text, err := json.MarshalIndent(e, "", "\t")
	if err == nil {
		err = tiles.WriteFile(e.File, append(text, '\n'))
	}
	if err != nil {
		return errors.Join(e, fmt.Errorf("keeping the evidence: %w", err))
	}
	return e
}

// readEvidence returns what an earlier run found.
func readEvidence(path string) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for evidence: %w", err)
	}
	e := &Evidence{File: path}
	if err := json.Unmarshal(text, e); err != nil {
		return fmt.Errorf("reading evidence %s: %w", path, err)
	}
	return e
}
