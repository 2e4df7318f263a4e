// Package tlog is the embedded ledger: a transparency log in one SQLite file, or in
// one schema of a PostgreSQL database.
//
// Each batch of messages is one transaction: numbers are compared with the
// channels' heads, leaves and the tree's hashes are added (RFC 6962), and one
// checkpoint (C2SP tlog-checkpoint) is signed that covers them. A message is final
// when that transaction is committed and synced, and its receipt carries the
// inclusion proof under that checkpoint.
//
// # What is served was verified
//
// The database is not trusted. Whatever is read from it is checked before it is
// served: the author's signature, the payload's hash, and that the signed
// checkpoint covers the leaf with exactly this index and time; a changed byte is
// [ErrCorrupt] and never a wrong answer. What was verified once is kept in memory
// and compared with the database's bytes after that.
//
// # Concurrency
//
// A [Log] may be used by many goroutines, and a database by many processes: size,
// tree and heads are read after the write lock was taken, batch by batch. So is what
// became of a batch whose COMMIT had no answer: nothing that a batch leaves in memory
// is used for a tree that is not, to the byte, the one in the database.
//
// # What was answered is not forgotten
//
// An older copy of the whole file is a sound log: only who has seen a newer
// checkpoint can tell. So the newest one is also kept in a guard, a file elsewhere,
// before an answer leaves. A log that is behind its guard, or forked from it, takes
// nothing and answers nothing; [OpenReader] still looks at it, and [Log.Against] compares it
// with any checkpoint that somebody kept.
//
// # Limitations
//
// Whoever puts back old copies of the database and of the guard is noticed only by
// somebody else who kept a checkpoint. One goroutine decides and signs; 256 messages
// share a sync of the database and one of the guard.
package tlog

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

//go:embed *.sql
var migrations embed.FS

var (
	// ErrCorrupt says that the database holds not what this log wrote; what was
	// asked for is not answered. It comes with ledger.ErrUnavailable.
	ErrCorrupt = errors.New("log was altered or damaged")
	// ErrMissing says that there is no log, and that Options.Create is not set.
	ErrMissing = errors.New("log is missing")
	// ErrOtherLog refuses a database that belongs to another origin or key.
	ErrOtherLog = errors.New("database belongs to another log")
	// ErrReason refuses a reason that is not one short line.
	ErrReason = errors.New("reason is not one line of at most 200 bytes")
	// ErrReadOnly refuses to write to a log that was opened to be read: see OpenReader.
	// It comes with ledger.ErrUnavailable.
	ErrReadOnly = errors.New("log was opened to be read")
)

// schema is the log's in a PostgreSQL database.
const schema = "ledger"

// Options say whose log a database holds.
type Options struct {
	// Origin names the log in checkpoints and policies. Origin and the signer's
	// verifier key are fixed when the log is made and compared at each Open.
	Origin string
	// Signer signs the checkpoints.
	Signer ledger.Signer
	// Now is the clock behind the log's time.
	Now func() time.Time
	// Create makes a new log where there is none. It is for the one moment at
	// which an installation begins: a second log under a key that signed another is
	// a fork, and whoever mistyped a name would get one.
	Create bool
	// Witnesses are the verifier keys of those whose cosignatures Cosign is given, and
	// Quorum is how many of them make a message Witnessed; 0 if none do.
	Witnesses []string
	Quorum    int
	// Anchored says that checkpoints of this log are put on another ledger and brought to
	// KeepAnchor: messages reach ledger.Anchored. They do without it too, as soon as one
	// was.
	Anchored bool
	// Guard names a file outside the database and outside its backups that keeps the
	// newest checkpoint too; none where the name is empty. It is made with a new log.
	// Each host has its own, which processes share.
	Guard string
	// AdoptGuard makes a guard where it is missing, of the log as it is: somebody has
	// made sure that this is the newest state.
	AdoptGuard bool
	// AdoptRemoved lets Recover take messages without their payload from a copy that cannot
	// show the log's word that it removed it: somebody has made sure that it did.
	AdoptRemoved bool
	// Removable says which messages Remove may take the payload of: nil, or why not.
	// None where it is nil.
	Removable func(channel.Message) error
	// Hook, when set, observes the goroutines that write: see store.Options,
	// [PointGuarding] and [PointGuarded].
	Hook func(point string)
}

// Log is an open log. It implements ledger.Ledger.
type Log struct {
	db       *store.DB
	o        Options
	key      string // the signer's verifier key
	mirror   bool   // of another log: a new one has no checkpoint
	verifier note.Verifier
	writer   *store.Writer[channel.Message, settled] // nil when it only reads
	guard    *guard                                  // nil for none
	hook     func(string)
	reading  *statements                           // on the pool that reads
	writing  *statements                           // on the connection that writes
	several  []several                             // and for many rows at once
	seen     *recent[uint64, ledger.Entry]         // verified, by index
	nodes    *recent[int64, merkle.Hash]           // of the tree, verified, by stored index
	tiles    *recent[merkle.Tile, []byte]          // of the tree, verified
	issued   *recent[channel.Hash, ledger.Receipt] // of messages recorded here
	verified atomic.Pointer[signedTree]            // the newest read
	signed   atomic.Pointer[signedTree]            // the newest of this process, perhaps not committed
	cosigned atomic.Pointer[cosignedTree]          // the newest read
	anchored atomic.Pointer[anchoredTree]          // the newest read
	halted   atomic.Pointer[error]                 // why nothing is answered any more
	frontier frontier                              // of the writing goroutine alone

	submitting sync.RWMutex // held by each Submit, so that Close waits for them
	closing    sync.Once
	closed     chan struct{}
	mu         sync.Mutex
	grown      chan struct{} // closed, and made anew, when this process appended
}

var _ ledger.Ledger = (*Log)(nil)

// How many of each the memory keeps at least, and at most twice as many: without
// it an Ed25519 check and a walk up the tree for each head would take more time
// than the rest of a tap.
const (
	seenEntries  = 16384
	seenNodes    = 65536
	seenReceipts = 1024
)

// Open opens the log in a database, which is named as for store.Open. It checks the
// newest checkpoint, that the tree's hashes give its root, and that the log begins
// with what its guard holds; Check looks at everything. Errors: those of store.Open,
// [ErrMissing], [ErrOtherLog], [ErrCorrupt], [ErrRolledBack], [ErrForked],
// [ErrNoGuard], [ErrBadGuard].
func Open(ctx context.Context, name string, o Options) (*Log, error) {
	l, err := newLog(o, o.Signer.VerifierKey())
	if err != nil {
		return nil, err
	}
	l.db, err = store.Open(ctx, name, store.Options{Migrations: migrations, Schema: schema, Existing: !o.Create, Hook: o.Hook})
	if errors.Is(err, store.ErrMissing) {
		err = fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening log %q: %w", o.Origin, err)
	}
	if err := l.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening log %q in %s: %w", o.Origin, store.Name(name), err), l.guard.release(), l.db.Close())
	}
	l.writer = store.NewWriter(l.db, l.apply)
	return l, nil
}

// newLog returns a log that has no database yet.
func newLog(o Options, key string) (*Log, error) {
	verifier, err := note.NewVerifier(key)
	if err == nil {
		err = ledger.Policy{Logs: []ledger.LogKey{{Origin: o.Origin, Key: key}}, Witnesses: o.Witnesses, Quorum: o.Quorum}.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("opening log %q: %w", o.Origin, err)
	}
	l := &Log{
		o: o, key: key, verifier: verifier, hook: func(string) {},
		seen:   newRecent[uint64, ledger.Entry](seenEntries),
		nodes:  newRecent[int64, merkle.Hash](seenNodes),
		tiles:  newRecent[merkle.Tile, []byte](seenTiles),
		issued: newRecent[channel.Hash, ledger.Receipt](seenReceipts),
		closed: make(chan struct{}),
		grown:  make(chan struct{}),
	}
	if o.Hook != nil {
		l.hook = o.Hook
	}
	return l, nil
}

// begin makes the database this log's, or checks that it is.
func (l *Log) begin(ctx context.Context) error {
	if l.o.Create {
		if err := l.db.Update(ctx, func(tx *sql.Tx) error { return l.found(ctx, tx) }); err != nil {
			return err
		}
	}
	if err := l.beginReading(ctx); err != nil {
		return err
	}
	if err := l.prepareWriting(ctx); err != nil || l.o.Guard == "" {
		return err
	}
	return l.openGuard(ctx)
}

// beginReading checks that the file is this log's, and its newest checkpoint.
func (l *Log) beginReading(ctx context.Context) error {
	origin, key, err := owner(ctx, l.db.Read())
	if err != nil {
		return err
	}
	if origin != l.o.Origin || key != l.key {
		return fmt.Errorf("%w: origin %q, key %s", ErrOtherLog, origin, key)
	}
	if l.reading, err = prepare(ctx, l.db.Read().PrepareContext); err != nil {
		return err
	}
	return l.read(ctx, func(v *view) error { return v.checkRoot() })
}

// owner returns whose log the database says it is.
func owner(ctx context.Context, q interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) (origin, key string, err error) {
	err = q.QueryRowContext(ctx, "SELECT origin, verifier_key FROM log").Scan(&origin, &key)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", errNoLog
	}
	if err != nil {
		return "", "", unavailable(ctx, err)
	}
	return origin, key, nil
}

// found gives a new log its one row: whose log it is, and the empty tree's
// checkpoint.
func (l *Log) found(ctx context.Context, tx *sql.Tx) error {
	root, err := merkle.TreeHash(0, nil)
	if err != nil {
		return err
	}
	checkpoint, err := ledger.SignCheckpoint(ledger.Checkpoint{Origin: l.o.Origin, Root: root}, l.o.Signer)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO log SELECT 1, $1, $2, $3 WHERE NOT EXISTS (SELECT 1 FROM log) AND NOT EXISTS (SELECT 1 FROM entry)",
		l.o.Origin, l.o.Signer.VerifierKey(), checkpoint)
	return err
}

// List admits channels to the log, durable on return. To list one again changes
// nothing. After an error any of them may have been admitted only if it is
// ledger.ErrUncertain.
func (l *Log) List(ctx context.Context, ids ...channel.ID) error {
	if err := l.writable(); err != nil {
		return err
	}
	return outcome(l.db.Update(ctx, func(tx *sql.Tx) error {
		v, err := l.writingView(ctx, tx)
		for _, id := range ids {
			if err == nil {
				err = v.list(id)
			}
		}
		return err
	}))
}

// list admits a channel that is not listed, unless the file has messages of it.
func (v *view) list(id channel.ID) error {
	_, err := v.chain(id)
	if errors.Is(err, ledger.ErrNotListed) {
		return v.exec(v.stmts.list, key(id), id[:])
	}
	return err
}

// Submit records m as ledger.Ledger says. The receipt is Final: committed and
// synced, with the proof under the checkpoint of its batch.
func (l *Log) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	l.submitting.RLock()
	defer l.submitting.RUnlock()
	if err := l.writable(); err != nil {
		return ledger.Receipt{}, err
	}
	if err := ledger.Whole(m); err != nil {
		return ledger.Receipt{}, err
	}
	a, err := l.writer.Do(ctx, m)
	if err != nil {
		return ledger.Receipt{}, outcome(err)
	}
	r := a.receipt
	if err := l.guard.keep(ctx, a.tree); err != nil {
		return ledger.Receipt{}, fmt.Errorf("%w: %w", ledger.ErrUncertain, err)
	}
	l.seen.put(r.Index, ledger.Entry{Message: m, Time: r.Time, Index: r.Index})
	l.issued.put(r.Hash, r)
	l.wake()
	return r, nil
}

// outcome says an error of package store in the words of package ledger.
func outcome(err error) error {
	switch {
	case errors.Is(err, context.Canceled) && errors.Is(err, store.ErrNotWritten),
		errors.Is(err, context.DeadlineExceeded) && errors.Is(err, store.ErrNotWritten):
		return err
	case errors.Is(err, store.ErrUncertain):
		return fmt.Errorf("%w: %w", ledger.ErrUncertain, err)
	case errors.Is(err, store.ErrNotWritten) && !errors.Is(err, ledger.ErrUnavailable):
		return fmt.Errorf("%w: %w", ledger.ErrUnavailable, err)
	}
	return err
}

// Close lets the batch in hand finish, ends every Follow and closes database and guard.
func (l *Log) Close() error {
	var err error
	l.closing.Do(func() {
		close(l.closed)
		if l.writer != nil {
			l.writer.Close()
		}
		l.submitting.Lock() // what was committed is answered
		defer l.submitting.Unlock()
		err = errors.Join(l.guard.close(), l.db.Close())
	})
	return err
}

// writable reports whether the log takes messages.
func (l *Log) writable() error {
	if l.writer == nil {
		return fmt.Errorf("%w: %w", ledger.ErrUnavailable, ErrReadOnly)
	}
	return l.usable()
}

func (l *Log) usable() error {
	if reason := l.halted.Load(); reason != nil {
		return *reason
	}
	select {
	case <-l.closed:
		return fmt.Errorf("log is closed: %w", ledger.ErrUnavailable)
	default:
		return nil
	}
}

// wake lets every Follow of this process look again.
func (l *Log) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.grown)
	l.grown = make(chan struct{})
}

// corrupt names what is wrong with the database.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %w: %w", ledger.ErrUnavailable, ErrCorrupt, fmt.Errorf(format, args...))
}
