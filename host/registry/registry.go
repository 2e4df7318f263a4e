// Package registry is the cache of what the ledger says about issuers and cards.
//
// The ledger is the truth. A [Registry] folds it by record.Fold into one SQLite file, or one schema of a PostgreSQL
// database, and goes on from where it stopped:
// [Registry.Sync] reads to the ledger's end, [Registry.SyncChannel] brings one card's channel up to its newest message, and
// [Registry.Rebuild] forgets everything and folds again, with the same result.
//
// # Alterations
//
// Whoever can write the live file changes no answer. Each row that decides one carries an HMAC under a key that is derived from
// the master secret, over the table and all the row's values; it is checked at each read. A sealed catalogue tells which rows
// there have to be. What does not hold is folded from the ledger again before the answer is given, and named by Options.Report.
// A row that is put back as it stood at an earlier time is a cache that is behind: it is read forward, from the ledger, before
// anything new is folded on top of it.
//
// # Durability
//
// All methods that write return after the write is durable; the position in the ledger stands in the same transaction as what
// was folded up to it, so a crash at any moment loses nothing and folds nothing twice.
//
// # Concurrency
//
// A Registry may be used by many goroutines, and one file by many processes.
//
// # Limitations
//
// Rejections and the count of ignored messages are for people; they are not sealed. An alteration of the catalogue, of an
// issuer's row or of where a card was registered costs a Rebuild, which holds the file's write lock until it is done.
package registry

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrUnknownCard says that no registration of the card was folded so far.
var ErrUnknownCard = errors.New("no card with this id is registered")

// Options is what a Registry works with. Ledger and Master are needed.
type Options struct {
	Ledger ledger.Ledger
	Master channel.Seed // the rows' seals are made under a key derived from it
	// Report, when set, is told of each alteration that was found and mended. It is called by the goroutine that found it, after
	// the mending, and may use the registry.
	Report func(Tampered)
	// Hook, when set, is called with the points that a write passes, see store.Options: for crash tests.
	Hook func(point string)
}

// Tampered names a row that somebody altered. The right values are back in it.
type Tampered struct {
	Table string
	Key   string // the row's, as text
	What  string
}

// String says what was found, as one line.
func (t Tampered) String() string {
	return fmt.Sprintf("registry: table %s, row %s: %s", t.Table, t.Key, t.What)
}

// Registry is an open registry file.
type Registry struct {
	o      Options
	db     *store.DB
	writer *store.Writer[*job, []Tampered]
	sealer sealer

	readCard, readCardByTaps, writeCard, writeCardByTaps *sql.Stmt

	rebuilding sync.Mutex
	rebuilt    atomic.Uint64 // how often, in this process
	stops      atomic.Pointer[stops]
	moved      atomic.Pointer[moved]
	origin     atomic.Pointer[string] // of the ledger, once it was asked for
}

// schema is the registry's in a PostgreSQL database.
const schema = "registry"

// Open opens or creates the registry in a database, which is named as for store.Open. It folds nothing yet: see Sync. The errors
// of the database are those of store.Open.
func Open(ctx context.Context, name string, o Options) (*Registry, error) {
	if o.Report == nil {
		o.Report = func(Tampered) {}
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("opening registry: %w", err)
	}
	db, err := store.Open(ctx, name, store.Options{Migrations: files, Schema: schema, Hook: o.Hook})
	if err != nil {
		return nil, fmt.Errorf("opening registry: %w", err)
	}
	r := &Registry{o: o, db: db, sealer: sealer(channel.DeriveKey(o.Master, "registry rows"))}
	if err := r.prepare(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening registry: %w", err), db.Close())
	}
	r.writer = store.NewWriter(db, r.run)
	return r, nil
}

// prepare compiles the statements of the hot path, and begins a file that holds nothing yet. Where there are cards and no
// position somebody took it away: that is found, named and mended at the first read.
func (r *Registry) prepare(ctx context.Context) (err error) {
	if r.readCard, err = r.db.Read().PrepareContext(ctx, selectCard+"WHERE c.id = $1"); err != nil {
		return err
	}
	if r.readCardByTaps, err = r.db.Read().PrepareContext(ctx, selectCard+"WHERE c.taps = $1"); err != nil {
		return err
	}
	if r.writeCard, err = r.db.Prepare(ctx, selectCard+"WHERE c.id = $1"); err != nil {
		return err
	}
	if r.writeCardByTaps, err = r.db.Prepare(ctx, selectCard+"WHERE c.taps = $1"); err != nil {
		return err
	}
	return r.db.Update(ctx, func(tx *sql.Tx) error {
		var rows int
		err := tx.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM meta) + (SELECT count(*) FROM (SELECT 1 FROM cards LIMIT 1) AS first)").Scan(&rows)
		if err != nil || rows > 0 {
			return err
		}
		return r.writeMeta(ctx, tx, meta{})
	})
}

// Close ends the writing and closes the file.
func (r *Registry) Close() error {
	r.writer.Close()
	return r.db.Close()
}

// job is one piece of work on the states, done inside a transaction that it shares with others.
type job struct {
	ctx context.Context
	do  func(*states) error
}

// run does a batch of jobs in one transaction. An alteration that only a Rebuild mends ends the whole batch, and so does a
// mending that was broken off: half a card is not to be kept.
func (r *Registry) run(ctx context.Context, tx *sql.Tx, jobs []*job) ([]store.Result[[]Tampered], error) {
	s, err := r.begin(ctx, tx)
	if err != nil {
		return nil, err
	}
	results := make([]store.Result[[]Tampered], len(jobs))
	for i, j := range jobs {
		s.caller, s.reports = j.ctx, nil
		err := j.do(s)
		if lost := (*altered)(nil); errors.As(err, &lost) {
			return nil, err
		}
		if s.half {
			return nil, &brokenOff{j, err}
		}
		results[i] = store.Result[[]Tampered]{Value: s.reports, Err: err}
	}
	return results, s.flush()
}

// write has do run on the newest states and returns when its changes are durable. When it meets an alteration that cannot be
// mended in place, everything is rebuilt and do runs again; and so it does when another caller's mending took the batch with it.
func (r *Registry) write(ctx context.Context, do func(*states) error) error {
	for {
		rebuilt, mine := r.rebuilt.Load(), &job{ctx, do}
		reports, err := r.writer.Do(ctx, mine)
		for _, t := range reports {
			r.o.Report(t)
		}
		if other, ok := errors.AsType[*brokenOff](err); ok && other.job != mine {
			continue // he is not in the next batch
		}
		lost := (*altered)(nil)
		if !errors.As(err, &lost) {
			return unanswered(err)
		}
		if err := r.rebuildAfter(ctx, rebuilt, lost.Tampered); err != nil {
			return err
		}
	}
}

// unanswered puts ledger.ErrUnavailable before the error of a store that does not answer. What becomes of a write to this cache
// decides nothing: it is made again. So an outcome that nobody knows is told as just that, without the store's word for it.
func unanswered(err error) error {
	err = store.Explain(err)
	if errors.Is(err, store.ErrUncertain) {
		return fmt.Errorf("%w: %v", ledger.ErrUnavailable, err)
	}
	if errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrBusy) {
		return fmt.Errorf("%w: %w", ledger.ErrUnavailable, err)
	}
	return err
}

// brokenOff ends a batch because one caller's mending did not come to its end.
type brokenOff struct {
	job *job
	err error
}

func (b *brokenOff) Error() string { return b.err.Error() }

func (b *brokenOff) Unwrap() error { return b.err }

// altered is an alteration after which only the ledger can tell what there has to be.
type altered struct{ Tampered }

func (a *altered) Error() string { return a.String() }
