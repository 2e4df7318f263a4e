package anchor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// anchored is a message on the other ledger with the checkpoint that it holds. nil is
// the beginning: nothing is anchored yet.
type anchored struct {
	ledger.Entry
	text []byte
	ledger.Checkpoint
}

func (e *anchored) size() uint64 {
	if e == nil {
		return 0
	}
	return e.Size
}

// next is the number of the message behind it.
func (e *anchored) next() uint64 {
	if e == nil {
		return 0
	}
	return e.Message.Number() + 1
}

func (e *anchored) hash() channel.Hash {
	if e == nil {
		return channel.Hash{}
	}
	return e.Message.Hash()
}

// compare reads the newest anchored checkpoint and compares the log with it.
func (a *Anchor) compare(ctx context.Context) (*anchored, error) {
	if err := a.open(ctx); err != nil {
		return nil, unreachable(err)
	}
	head, err := a.other.Head(ctx, a.Channel())
	if errors.Is(err, ledger.ErrNoChannel) {
		return nil, a.remembers(ctx, nil)
	}
	if err != nil {
		return nil, unreachable(err)
	}
	last, err := a.read(head)
	if err != nil {
		return nil, err
	}
	if err := a.against(ctx, last); err != nil {
		return nil, err
	}
	return last, a.remembers(ctx, last)
}

// open opens the other ledger where it is not.
func (a *Anchor) open(ctx context.Context) error {
	if a.other != nil {
		return nil
	}
	other, err := a.o.Open(ctx)
	if err == nil {
		a.other = other
	}
	return err
}

// read takes the checkpoint out of a message: ErrStrange where it is none of this log.
func (a *Anchor) read(e ledger.Entry) (*anchored, error) {
	body, err := e.Message.Body()
	if err != nil {
		return nil, strange(e, err)
	}
	r, err := record.ParseLogCheckpoint(body)
	if err != nil {
		return nil, strange(e, err)
	}
	text := []byte(r.Checkpoint)
	c, err := a.o.Log.OpenCheckpoint(text)
	if err != nil {
		return nil, strange(e, err)
	}
	return &anchored{e, text, c}, nil
}

func strange(e ledger.Entry, err error) error {
	return fmt.Errorf("%w: message %d of channel %s: %w", ErrStrange, e.Message.Number(), e.Message.Channel(), err)
}

// against compares the log with an anchored checkpoint, and halts it where that is
// another history.
func (a *Anchor) against(ctx context.Context, e *anchored) error {
	err := a.o.Log.Against(ctx, e.text)
	if !Refutes(err) {
		return err
	}
	err = fmt.Errorf("log %q contradicts the anchor that message %d of channel %s is, of %s: %w",
		a.origin, e.Message.Number(), e.Message.Channel(), e.Time.UTC().Format("2006-01-02 15:04:05"), err)
	a.o.Log.Halt(err)
	return err
}

// remembers reports whether the other ledger still has what it recorded, as far as the
// log's database says.
func (a *Anchor) remembers(ctx context.Context, last *anchored) error {
	kept, err := a.kept(ctx)
	if err != nil || kept == nil {
		return err
	}
	n := kept.Message.Number()
	if n >= last.next() || n+1 == last.next() && kept.Message.Hash() != last.hash() {
		return fmt.Errorf("%w: it recorded message %d of channel %s, and ends before", ErrForgot, n, a.Channel())
	}
	return nil
}

// kept returns the evidence in the log's database, of this channel; nil where there is
// none. What was kept of another anchor than the one in use is none.
func (a *Anchor) kept(ctx context.Context) (*ledger.Evidence, error) {
	_, e, err := Newest(ctx, a.o.Log)
	if err != nil || e == nil || e.Message.Channel() != a.Channel() {
		return nil, err
	}
	return e, nil
}

// keep puts the evidence of an anchored checkpoint into the log's database, unless it
// is there: another process recorded it, or this one was killed before it could.
func (a *Anchor) keep(ctx context.Context, e *anchored) error {
	if e == nil {
		return nil
	}
	kept, err := a.kept(ctx)
	if err != nil || kept != nil && kept.Message.Hash() == e.hash() {
		return err
	}
	proof, err := a.other.Prove(ctx, a.Channel(), e.Message.Number())
	if err != nil {
		return unreachable(err)
	}
	evidence, err := json.Marshal(ledger.Evidence{Message: e.Message, Proof: proof})
	if err != nil {
		return err
	}
	return a.o.Log.KeepAnchor(ctx, e.text, evidence)
}

// Newest returns the newest anchored checkpoint of a log and the evidence that another
// ledger recorded it, as the log's database has them; nil where there is none. Whether
// the evidence's proof holds, a policy says. Errors: those of the log, tlog.ErrCorrupt
// where the evidence is none of this checkpoint.
func Newest(ctx context.Context, log *tlog.Log) (checkpoint []byte, e *ledger.Evidence, err error) {
	checkpoint, text, err := log.Anchored(ctx)
	if err != nil || checkpoint == nil {
		return nil, nil, err
	}
	read, err := ledger.ParseEvidence(text)
	if err == nil {
		err = records(read, log, checkpoint)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w: evidence of the anchor: %w", ledger.ErrUnavailable, tlog.ErrCorrupt, err)
	}
	return checkpoint, &read, nil
}

// records reports whether evidence is about a message that records this checkpoint.
func records(e ledger.Evidence, log *tlog.Log, checkpoint []byte) error {
	body, err := e.Message.Body()
	if err != nil {
		return err
	}
	r, err := record.ParseLogCheckpoint(body)
	if err != nil {
		return err
	}
	of, err := log.OpenCheckpoint([]byte(r.Checkpoint))
	if err != nil {
		return err
	}
	c, err := log.OpenCheckpoint(checkpoint)
	if err == nil && of != c {
		err = fmt.Errorf("it is of checkpoint %d, not %d", of.Size, c.Size)
	}
	return err
}
