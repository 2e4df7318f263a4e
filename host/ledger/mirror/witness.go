package mirror

import (
	"bytes"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/ledger"
)

//go:embed *.sql
var migrations embed.FS

// maxSize bounds the trees that are looked at: arithmetic on larger ones overflows.
const maxSize = 1 << 50

// Why a Witness does not cosign. Errors of its file are store's.
var (
	// ErrUnknownLog: its configuration does not have the origin.
	ErrUnknownLog = errors.New("witness does not know this log")
	// ErrUnsigned: no key that it trusts for the origin signed the checkpoint.
	ErrUnsigned = errors.New("no key known for this log signed the checkpoint")
	// ErrMalformed: what came is no request in the form of tlog-witness.
	ErrMalformed = errors.New("malformed request to a witness")
	// ErrInconsistent: the checkpoint does not continue what was cosigned before, or
	// is not proved to.
	ErrInconsistent = errors.New("checkpoint is not proved to continue the one cosigned before")
)

// Conflict refuses a request that begins from another size than the witness is at.
// Always a pointer, for errors.As.
type Conflict struct {
	Size uint64 // of the newest checkpoint that it cosigned
}

// Error says where the witness is.
func (c *Conflict) Error() string { return fmt.Sprintf("witness is at size %d", c.Size) }

// Request is what a log asks of a witness.
type Request struct {
	Old        uint64           // size of the checkpoint that the witness cosigned last
	Proof      merkle.TreeProof // RFC 6962, that it is the beginning of the new one
	Checkpoint []byte           // signed note
}

// WitnessOptions say for which logs a witness speaks, and with which key.
type WitnessOptions struct {
	Logs   []ledger.LogKey
	Signer ledger.WitnessSigner
	// Now is the clock behind the cosignatures' times.
	Now func() time.Time
	// Hook, when set, observes the writes: see store.Options.
	Hook func(point string)
}

// Witness cosigns checkpoints, C2SP tlog-witness: of one log each continues the one
// before, and no two have one size and two roots. What it cosigned is durable before
// the cosignature leaves. It may be used by many goroutines, and its file by many
// processes.
type Witness struct {
	db   *store.DB
	o    WitnessOptions
	logs map[string][]note.Verifier // by origin
}

// OpenWitness opens the witness's file at path or makes it.
func OpenWitness(ctx context.Context, path string, o WitnessOptions) (*Witness, error) {
	w := &Witness{o: o, logs: map[string][]note.Verifier{}}
	for _, k := range o.Logs {
		v, err := note.NewVerifier(k.Key)
		if err != nil {
			return nil, fmt.Errorf("opening witness: key of log %q: %w", k.Origin, err)
		}
		w.logs[k.Origin] = append(w.logs[k.Origin], v)
	}
	var err error
	if w.db, err = store.Open(ctx, path, store.Options{Migrations: migrations, Schema: "witness", Hook: o.Hook}); err != nil {
		return nil, fmt.Errorf("opening witness: %w", err)
	}
	return w, nil
}

// Close closes the file.
func (w *Witness) Close() error { return w.db.Close() }

// Add looks at a checkpoint and returns the witness's signature line for it. Errors:
// ErrUnknownLog, ErrUnsigned, ErrMalformed, *Conflict, ErrInconsistent; with any
// other one too, no cosignature exists that the file does not know of.
func (w *Witness) Add(ctx context.Context, r Request) (line []byte, err error) {
	tree, text, err := w.open(r.Checkpoint)
	if err != nil {
		return nil, err
	}
	if r.Old > tree.Size {
		return nil, fmt.Errorf("old size %d of a checkpoint of %d: %w", r.Old, tree.Size, ErrMalformed)
	}
	// Under the lock of the one transaction that may write, so that what is compared
	// is what is replaced.
	err = w.db.Update(ctx, func(tx *sql.Tx) error {
		latest, err := w.latest(ctx, tx, tree.Origin)
		if err != nil {
			return err
		}
		if err := follows(latest, r, tree); err != nil {
			return err
		}
		if line, err = w.o.Signer.Cosign(text, w.o.Now()); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO latest (origin, checkpoint) VALUES ($1, $2)"+
			" ON CONFLICT (origin) DO UPDATE SET checkpoint = excluded.checkpoint", tree.Origin, append(text, line...))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("witnessing log %q: %w", tree.Origin, err)
	}
	return line, nil
}

// open verifies a checkpoint, and returns its text without the signatures of those
// whom the witness does not know.
func (w *Witness) open(text []byte) (tree ledger.Checkpoint, known []byte, err error) {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	origin := string(first)
	keys := w.logs[origin]
	if keys == nil {
		return tree, nil, fmt.Errorf("%.100q: %w", origin, ErrUnknownLog)
	}
	opened, err := note.Open(text, note.VerifierList(keys...))
	_, unverified := errors.AsType[*note.UnverifiedNoteError](err)
	_, invalid := errors.AsType[*note.InvalidSignatureError](err)
	if unverified || invalid {
		return tree, nil, fmt.Errorf("log %q: %w: %w", origin, ErrUnsigned, err)
	}
	if err == nil {
		tree, err = ledger.ParseCheckpoint(text, origin, keys...)
	}
	if err == nil && tree.Size > maxSize {
		err = fmt.Errorf("size %d", tree.Size)
	}
	if err == nil {
		known, err = note.Sign(&note.Note{Text: opened.Text, Sigs: opened.Sigs})
	}
	if err != nil {
		return tree, nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return tree, known, nil
}

// latest returns what was cosigned last of a log: the empty tree when nothing was.
func (w *Witness) latest(ctx context.Context, tx *sql.Tx, origin string) (ledger.Checkpoint, error) {
	var text []byte
	err := tx.QueryRowContext(ctx, "SELECT checkpoint FROM latest WHERE origin = $1", origin).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Checkpoint{Origin: origin}, nil
	}
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	c, err := ledger.ParseCheckpoint(text, origin, w.logs[origin]...)
	if err != nil {
		return c, fmt.Errorf("witness's file was altered or damaged: %w: %w", store.ErrCorrupt, err)
	}
	return c, nil
}

// follows reports whether a request's tree is proved to continue the latest one.
func follows(latest ledger.Checkpoint, r Request, tree ledger.Checkpoint) error {
	empty, err := merkle.TreeHash(0, nil)
	switch {
	case err != nil:
		return err
	case r.Old != latest.Size:
		return &Conflict{latest.Size}
	case tree.Size == 0 && tree.Root != empty:
		return fmt.Errorf("root of the empty tree: %w", ErrInconsistent)
	case r.Old == 0 && len(r.Proof) > 0:
		return fmt.Errorf("a proof from the empty tree: %w", ErrInconsistent)
	case r.Old == 0:
		return nil
	case r.Old == tree.Size && (tree.Root != latest.Root || len(r.Proof) > 0):
		return fmt.Errorf("another root of size %d: %w", tree.Size, ErrInconsistent)
	case r.Old == tree.Size:
		return nil
	}
	if err := merkle.CheckTree(r.Proof, int64(tree.Size), tree.Root, int64(latest.Size), latest.Root); err != nil {
		return fmt.Errorf("trees of %d and %d leaves: %w: %w", latest.Size, tree.Size, ErrInconsistent, err)
	}
	return nil
}

// Latest returns the newest checkpoint of a log that was cosigned, with the
// signatures of log and witness; nothing when none was.
func (w *Witness) Latest(ctx context.Context, origin string) (text []byte, err error) {
	err = w.db.Read().QueryRowContext(ctx, "SELECT checkpoint FROM latest WHERE origin = $1", origin).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what was cosigned: %w", store.Explain(err))
	}
	return text, nil
}

// requestTimeout bounds how long a request to a witness may take.
const requestTimeout = 10 * time.Second
