package tlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// Info describes the log.
func (l *Log) Info(ctx context.Context) (ledger.Info, error) {
	info := ledger.Info{
		Kind:        "tlog",
		Origin:      l.o.Origin,
		VerifierKey: l.key,
		MaxMessage:  channel.MaxMessage,
		Uniqueness:  l.db.Kind() + ", in the transaction that adds the leaf",
		Retention:   "for ever",
		Finality:    "when the batch's transaction is synced, before Submit returns",
	}
	err := l.read(ctx, func(v *view) error {
		var err error
		info.Size = v.tree.Size
		info.Highest, err = v.highest()
		return err
	})
	if err != nil {
		return ledger.Info{}, err
	}
	return info, nil
}

// highest is the last phase that messages reach.
func (v *view) highest() (ledger.Phase, error) {
	if v.log.o.Anchored {
		return ledger.Anchored, nil
	}
	a, err := v.anchored()
	switch {
	case err != nil:
		return 0, err
	case a != nil:
		return ledger.Anchored, nil
	case v.log.o.Quorum > 0:
		return ledger.Witnessed, nil
	}
	return ledger.Final, nil
}

// Await returns the receipt of a recorded message. Final takes no time: right after
// Submit it is the same receipt. Witnessed comes when a quorum of Options.Witnesses has
// cosigned a checkpoint that covers the message, and the proof is under that one;
// Anchored when another ledger has recorded such a checkpoint: see KeepAnchor.
func (l *Log) Await(ctx context.Context, r ledger.Receipt, phase ledger.Phase) (receipt ledger.Receipt, err error) {
	if phase > ledger.Final {
		return l.awaitBeyond(ctx, r, phase)
	}
	if issued, ok := l.issued.get(r.Hash); ok && issued.Channel == r.Channel && issued.Number == r.Number {
		return issued, errors.Join(ctx.Err(), l.usable())
	}
	err = l.read(ctx, func(v *view) error {
		e, err := v.find(r.Channel, r.Number)
		if err != nil {
			return err
		}
		if e.Message.Hash() != r.Hash {
			return &ledger.Conflict{Winner: e}
		}
		if err := l.guard.keep(ctx, v.tree); err != nil {
			return unreadable(err)
		}
		receipt, err = v.receipt(e)
		return err
	})
	return receipt, err
}

// Head returns the newest message of a channel.
func (l *Log) Head(ctx context.Context, id channel.ID) (head ledger.Entry, err error) {
	err = l.read(ctx, func(v *view) error {
		c, err := v.begun(id)
		if err == nil {
			head = c.head
		}
		return err
	})
	return head, err
}

// Range returns messages of a channel in order.
func (l *Log) Range(ctx context.Context, id channel.ID, from uint64, n int) (entries []ledger.Entry, err error) {
	err = l.read(ctx, func(v *view) error {
		c, err := v.begun(id)
		if err != nil || from >= c.next || n <= 0 {
			return err
		}
		n := min(uint64(n), c.next-from)
		entries, err = v.messages(c, int64(from), int(n))
		if err == nil && uint64(len(entries)) != n {
			return corrupt("messages of channel %s after %d are missing", id, from+uint64(len(entries)))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// Prove returns a proof of message n of a channel: under the newest checkpoint that a
// quorum of Options.Witnesses cosigned if it covers the message, else under the newest.
func (l *Log) Prove(ctx context.Context, id channel.ID, n uint64) (proof ledger.Proof, err error) {
	err = l.read(ctx, func(v *view) error {
		e, err := v.find(id, n)
		if err != nil {
			return err
		}
		r, err := v.best(e)
		proof = r.Proof
		return err
	})
	return proof, err
}

// begun returns a channel that has a message.
func (v *view) begun(id channel.ID) (*chain, error) {
	c, err := v.chain(id)
	if errors.Is(err, ledger.ErrNotListed) || err == nil && c.next == 0 {
		return nil, fmt.Errorf("channel %s: %w", id, ledger.ErrNoChannel)
	}
	return c, err
}

// find returns message n of a channel.
func (v *view) find(id channel.ID, n uint64) (ledger.Entry, error) {
	c, err := v.begun(id)
	if err != nil {
		return ledger.Entry{}, err
	}
	if n >= c.next {
		return ledger.Entry{}, fmt.Errorf("message %d of channel %s: %w", n, id, ledger.ErrNoMessage)
	}
	return v.message(c, int64(n))
}

// Checkpoint returns the newest signed checkpoint, C2SP tlog-checkpoint, with the
// cosignatures that Cosign kept of this very one.
func (l *Log) Checkpoint(ctx context.Context) (text []byte, err error) {
	err = l.read(ctx, func(v *view) error {
		c, err := v.cosigned()
		if text = v.tree.text; c != nil && c.Size == v.tree.Size {
			text = c.text
		}
		if len(text) == 0 {
			return fmt.Errorf("log %q: %w: %w", l.o.Origin, ledger.ErrUnavailable, ErrNoCheckpoint)
		}
		text = bytes.Clone(text)
		return err
	})
	return text, err
}

// Consistency returns the RFC 6962 proof that the log of size older is the
// beginning of the log of size newer, which is at most the size now. A size of 0
// is the beginning of everything, without proof. Another pair of sizes is
// ledger.ErrNoPosition.
func (l *Log) Consistency(ctx context.Context, older, newer uint64) (proof merkle.TreeProof, err error) {
	err = l.read(ctx, func(v *view) error {
		if older > newer || newer > v.tree.Size || newer > math.MaxInt64 {
			return fmt.Errorf("consistency of %d with %d in a log of %d: %w", older, newer, v.tree.Size, ledger.ErrNoPosition)
		}
		if older == 0 {
			return nil
		}
		proof, err = v.consistency(int64(older), int64(newer))
		return err
	})
	return proof, err
}

// consistency makes the proof and checks it, against the checkpoint where it can.
func (v *view) consistency(older, newer int64) (merkle.TreeProof, error) {
	proof, err := merkle.ProveTree(newer, older, v)
	if err != nil {
		return nil, err
	}
	from, err := merkle.TreeHash(older, v)
	if err != nil {
		return nil, err
	}
	to, err := merkle.TreeHash(newer, v)
	if err != nil {
		return nil, err
	}
	if uint64(newer) == v.tree.Size {
		to = v.tree.Root
	}
	if err := merkle.CheckTree(proof, newer, to, older, from); err != nil {
		return nil, corrupt("trees of %d and %d leaves: %w", older, newer, err)
	}
	return proof, nil
}
