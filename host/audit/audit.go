// Package audit keeps what is administered, and by whom, where nobody can take it back: on a restricted channel of each issuer's,
// on the ledger (docs/formats/records.md, audit.act).
//
// [Log.Act] is called before the act that it records, so nothing is done that is not there. What is there may have been broken
// off: a record is no proof that the act succeeded.
//
// # Durability
//
// An act is final on the ledger when [Log.Act] returns nil.
//
// # Concurrency
//
// A [Log] may be used by many goroutines, and many processes may write for one issuer: the ledger gives each number once, and who
// loses one takes the next.
package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// Authors finds the author of an issuer's audit channel. The error is of an issuer whose secrets are another installation's.
type Authors interface {
	Audit(issuer channel.ID) (*channel.Author, error)
}

// Options is what a Log works with; all are needed.
type Options struct {
	Ledger  ledger.Ledger
	List    registry.Lister
	Authors Authors
	Now     func() time.Time
	Random  io.Reader
}

// Log writes and reads audit channels.
type Log struct {
	Options
	listed sync.Map // of channel.ID: those that this process admitted to the ledger
}

// New returns a Log.
func New(o Options) *Log { return &Log{Options: o} }

// Act is what somebody is about to do.
type Act struct {
	By      string // who: the Actor's id, which names nobody
	Act     string // what, in one stable word such as "card.revoked"
	Subject string // to what, by id; "" for the issuer himself
	Detail  string // in words
}

// Entry is an act as recorded.
type Entry struct {
	Number uint64    // on the audit channel
	Time   time.Time // the ledger's
	Act              // zero where it cannot be shown
	// Unreadable says why the act cannot be shown: its payload was removed, or is none. Nil where it can.
	Unreadable error
}

// Act records an act for an issuer and returns when that is final; do it after that, and only if the error is nil. Errors:
// record.ErrMalformed for an act without By or Act or that is too long, those of Authors, ledger.ErrUnavailable when nothing was
// written, and ledger.ErrUncertain when it may have been, though nothing was done.
func (l *Log) Act(ctx context.Context, issuer channel.ID, a Act) error {
	body, err := record.AuditAct(a).Encode()
	if err != nil {
		return fmt.Errorf("recording %.40q for issuer %v: %w", a.Act, issuer, err)
	}
	author, err := l.Authors.Audit(issuer)
	if err == nil {
		err = l.write(ctx, author, body)
	}
	if err != nil {
		return fmt.Errorf("recording %s for issuer %v: %w", a.Act, issuer, err)
	}
	return nil
}

// write records the next message of the channel. Each round that is lost is another's message recorded.
func (l *Log) write(ctx context.Context, author *channel.Author, body []byte) error {
	if err := l.admit(ctx, author.Channel()); err != nil {
		return err
	}
	for {
		draft := channel.Draft{Time: l.Now(), Body: body, Random: l.Random}
		newest, err := l.Ledger.Head(ctx, author.Channel())
		switch {
		case err == nil:
			m := newest.Message
			draft.Number, draft.Prev, draft.KeyStart = m.Number()+1, m.Hash(), m.KeyStart()
		case !errors.Is(err, ledger.ErrNoChannel):
			return err
		}
		m, err := author.Sign(draft)
		if err != nil {
			return err
		}
		_, err = ledger.Record(ctx, l.Ledger, m)
		if lost := (*ledger.Conflict)(nil); !errors.As(err, &lost) {
			return err
		}
	}
}

// admit has the ledger take messages of the channel: once in a process, for it is durable.
func (l *Log) admit(ctx context.Context, id channel.ID) error {
	if _, done := l.listed.Load(id); done {
		return nil
	}
	if err := l.Options.List.List(ctx, id); err != nil {
		return err
	}
	l.listed.Store(id, true)
	return nil
}

// List returns the newest n acts of an issuer whose number is below before, or the newest n of all when before is 0; the newest
// first; never more than 1,000. Number 0 is the last there is. An issuer for whom nothing was ever administered has none. Errors: those of Authors and of
// the ledger, and channel.ErrBrokenChain of a ledger that does not return the author's messages.
func (l *Log) List(ctx context.Context, issuer channel.ID, before uint64, n int) ([]Entry, error) {
	author, err := l.Authors.Audit(issuer)
	if err != nil {
		return nil, fmt.Errorf("reading acts of issuer %v: %w", issuer, err)
	}
	entries, err := l.list(ctx, author, before, n)
	if err != nil {
		return nil, fmt.Errorf("reading acts of issuer %v: %w", issuer, err)
	}
	return entries, nil
}

func (l *Log) list(ctx context.Context, author *channel.Author, before uint64, n int) ([]Entry, error) {
	newest, err := l.Ledger.Head(ctx, author.Channel())
	if errors.Is(err, ledger.ErrNoChannel) || n <= 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	end := newest.Message.Number() + 1
	if before > 0 {
		end = min(end, before)
	}
	const most = 1000
	first := end - min(end, uint64(n), most)
	recorded, err := l.Ledger.Range(ctx, author.Channel(), first, int(end-first))
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(recorded))
	for i, e := range recorded {
		if got, want := e.Message.Number(), first+uint64(i); got != want || e.Message.Channel() != author.Channel() {
			return nil, fmt.Errorf("message %d of channel %v where %d must stand: %w", got, e.Message.Channel(), want, channel.ErrBrokenChain)
		}
		entries[i] = open(author, e)
	}
	slices.Reverse(entries)
	return entries, nil
}

// open shows what a message of the author says.
func open(author *channel.Author, e ledger.Entry) Entry {
	m := e.Message
	shown := Entry{Number: m.Number(), Time: e.Time}
	if m.Removed() {
		shown.Unreadable = channel.ErrRemoved
		return shown
	}
	body, err := author.Capability(m.Number(), m.KeyStart()).Open(m)
	if err != nil {
		shown.Unreadable = err
		return shown
	}
	act, err := record.ParseAuditAct(body)
	if err != nil {
		shown.Unreadable = err
		return shown
	}
	shown.Act = Act(act)
	return shown
}
