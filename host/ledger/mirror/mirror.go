// Package mirror keeps an independent copy of a log and vouches for it.
//
// A [Mirror] copies what the log records and checks all of it: each author's
// signature, each number in its channel, the order of time, and that each checkpoint
// continues the one before, by the tree's own hashes. It serves the copy as the log
// itself is served, so that who reads there needs the log no more.
//
// A [Witness] cosigns the log's checkpoints, C2SP tlog-witness: never two of one size,
// never one that does not continue what it cosigned. A [Publisher] takes a log's
// checkpoints to its witnesses and brings the cosignatures back.
//
// # A log that breaks its word
//
// What the log's key signed is held against it. On a fork, on a log that became
// shorter, and on a message out of place the mirror ends with [Evidence], which it
// keeps in a file; it does not begin again before somebody has taken that away, and
// nothing of the bad state is ever served.
//
// # Limitations
//
// A copy is made in one transaction up to a checkpoint: who begins with a very large
// log and is interrupted begins anew. A mirror and its log in one pair of hands are
// one party.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/host/ledger/tiles"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/pkg/ledger"
)

// Files in the mirror's folder.
const (
	fileCopy     = "mirror.db"
	fileWitness  = "witness.db"
	fileSeen     = "mirror.checkpoint" // the newest that was verified, copied or not yet
	fileEvidence = "mirror.evidence.json"
)

// How often the log is looked at, and how rarely after it did not answer.
const (
	defaultInterval = time.Second
	maxInterval     = time.Minute
)

// Options say which log is mirrored where.
type Options struct {
	URL string        // of the log: see tiles.Options
	Key ledger.LogKey // of the log
	Dir string        // folder of the mirror's files, which exists
	// Witness, when set, cosigns what was copied, and what the log brings.
	Witness *ledger.WitnessSigner
	// Interval is how often the log is looked at; a second when zero.
	Interval time.Duration
	// Now is the clock behind the cosignatures' times.
	Now func() time.Time
	// Report, when set, is told what Run goes on after.
	Report func(error)
	// Progress, when set, is told how much of the log was copied.
	Progress func(done, size uint64)
	// PlainHTTP allows http to other machines too.
	PlainHTTP bool
	// Transport, when set, carries the requests.
	Transport http.RoundTripper
}

// Mirror is a copy of a log, and a witness where it has a key.
type Mirror struct {
	o       Options
	log     *tlog.Mirror
	client  *tiles.Client
	witness *Witness // nil for none
}

// Open opens a mirror or begins one. Its error is *Evidence when the log broke its
// word before.
func Open(ctx context.Context, o Options) (*Mirror, error) {
	if err := readEvidence(filepath.Join(o.Dir, fileEvidence)); err != nil {
		return nil, err
	}
	m := &Mirror{o: o}
	if m.o.Interval <= 0 {
		m.o.Interval = defaultInterval
	}
	if err := m.open(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Mirror) open(ctx context.Context) (err error) {
	o := tlog.MirrorOptions{Key: m.o.Key}
	if m.o.Witness != nil {
		o.Witnesses, o.Quorum = []string{m.o.Witness.VerifierKey()}, 1
	}
	if m.log, err = tlog.OpenMirror(ctx, filepath.Join(m.o.Dir, fileCopy), o); err != nil {
		return err
	}
	known, err := m.log.Checkpoint(ctx)
	if errors.Is(err, tlog.ErrNoCheckpoint) {
		err = nil
	}
	if err != nil {
		return err
	}
	m.client, err = tiles.NewClient(tiles.Options{
		URL: m.o.URL, Policy: ledger.Policy{Logs: []ledger.LogKey{m.o.Key}}, State: filepath.Join(m.o.Dir, fileSeen), Known: known,
		PlainHTTP: m.o.PlainHTTP, Transport: m.o.Transport,
	})
	if err != nil || m.o.Witness == nil {
		return err
	}
	m.witness, err = OpenWitness(ctx, filepath.Join(m.o.Dir, fileWitness), WitnessOptions{Logs: []ledger.LogKey{m.o.Key}, Signer: *m.o.Witness, Now: m.o.Now})
	return err
}

// Close closes the files.
func (m *Mirror) Close() error {
	var errs []error
	if m.client != nil {
		errs = append(errs, m.client.Close())
	}
	if m.witness != nil {
		errs = append(errs, m.witness.Close())
	}
	if m.log != nil {
		errs = append(errs, m.log.Close())
	}
	return errors.Join(errs...)
}

// Log is the copy, to be read.
func (m *Mirror) Log() *tlog.Mirror { return m.log }

// ServeHTTP serves the copy as tiles.Handler does, and the witness where there is one.
func (m *Mirror) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if m.witness != nil {
		if _, monitored := m.witness.monitored(r.URL.Path); monitored || r.URL.Path == pathAdd {
			m.witness.ServeHTTP(rw, r)
			return
		}
	}
	tiles.NewHandler(m.log).ServeHTTP(rw, r)
}

// Run mirrors the log until ctx ends, and returns its error; or *Evidence. After other
// errors it goes on, and looks less often until the log answers again.
func (m *Mirror) Run(ctx context.Context) error {
	for pause := m.o.Interval; ; {
		_, err := m.Sync(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrBroken):
			return err
		case err != nil:
			if m.o.Report != nil {
				m.o.Report(err)
			}
			pause = min(2*pause, max(maxInterval, m.o.Interval))
		default:
			pause = m.o.Interval
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// Sync copies the log up to its newest checkpoint, cosigns that, and returns it.
func (m *Mirror) Sync(ctx context.Context) (ledger.Checkpoint, error) {
	t, err := m.client.Newest(ctx)
	if err == nil {
		err = m.copy(ctx, t)
	}
	if err == nil && m.witness != nil {
		err = m.cosign(ctx, t)
	}
	if err != nil {
		return ledger.Checkpoint{}, m.judge(ctx, t, err)
	}
	return t.Checkpoint, nil
}

// copy brings the copy up to a tree of the log.
func (m *Mirror) copy(ctx context.Context, t *tiles.Tree) error {
	info, err := m.log.Info(ctx)
	if err != nil {
		return err
	}
	if _, err := m.log.Checkpoint(ctx); info.Size == t.Size && !errors.Is(err, tlog.ErrNoCheckpoint) {
		return errors.Join(err, m.log.Against(ctx, t.Text))
	}
	next, stop := m.ahead(ctx, t, info.Size)
	defer stop()
	return m.log.Append(ctx, t.Text, next)
}

// page is what one look at the log gave.
type page struct {
	entries []ledger.Entry
	err     error
}

// ahead reads entries while those before are written.
func (m *Mirror) ahead(ctx context.Context, t *tiles.Tree, from uint64) (next func() ([]ledger.Entry, error), stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	pages := make(chan page, 2)
	go func() {
		defer close(pages)
		for at := from; at < t.Size; {
			entries, err := m.client.Entries(ctx, t, at)
			select {
			case pages <- page{entries, err}:
			case <-ctx.Done():
				return
			}
			if at += uint64(len(entries)); err != nil {
				return
			}
			if m.o.Progress != nil {
				m.o.Progress(at, t.Size)
			}
		}
	}()
	next = func() ([]ledger.Entry, error) {
		p, ok := <-pages
		if !ok {
			return nil, ctx.Err()
		}
		return p.entries, p.err
	}
	stop = func() {
		cancel()
		for range pages { // until the reader has ended
		}
	}
	return next, stop
}

// cosign has the witness cosign what was copied, and keeps its cosignature with the
// copy. Where the log has brought the witness a newer checkpoint, that comes first.
func (m *Mirror) cosign(ctx context.Context, t *tiles.Tree) error {
	latest, err := m.cosigned(ctx)
	if err != nil {
		return err
	}
	if latest.Size > t.Size {
		return nil
	}
	if latest.Checkpoint != t.Checkpoint || latest.Text == nil {
		r := Request{Old: latest.Size, Checkpoint: t.Text}
		if latest.Size < t.Size {
			if r.Proof, err = m.log.Consistency(ctx, latest.Size, t.Size); err != nil {
				return err
			}
		}
		_, err := m.witness.Add(ctx, r)
		if _, moved := errors.AsType[*Conflict](err); moved {
			return nil // the log was faster; the next time finds it
		}
		if errors.Is(err, ErrInconsistent) {
			return &tiles.Rewritten{Kept: latest.Text, Got: t.Text, Why: "what its witness was shown is not what its readers are shown"}
		}
		if err != nil {
			return err
		}
		if latest, err = m.cosigned(ctx); err != nil {
			return err
		}
	}
	if latest.Size > t.Size {
		return nil
	}
	return m.log.Cosign(ctx, latest.Text)
}

// cosigned is what the witness cosigned last; without text when nothing was.
func (m *Mirror) cosigned(ctx context.Context) (tiles.Tree, error) {
	text, err := m.witness.Latest(ctx, m.o.Key.Origin)
	if err != nil || text == nil {
		return tiles.Tree{}, err
	}
	v, err := note.NewVerifier(m.o.Key.Key)
	if err != nil {
		return tiles.Tree{}, err
	}
	c, err := ledger.ParseCheckpoint(text, m.o.Key.Origin, v)
	if err != nil {
		return tiles.Tree{}, fmt.Errorf("what the witness cosigned: %w", err)
	}
	return tiles.Tree{Checkpoint: c, Text: text}, nil
}
