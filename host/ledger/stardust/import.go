package stardust

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/stardust"
)

// importBatch is how many messages Import writes in one transaction.
const importBatch = 256

// Import fills gaps in the archive with messages and their proofs from elsewhere,
// for example from the archive of another process, which needs no trust: each proof
// has to hold under the coordinator's keys and lead to the channel's own alias.
// What the archive has, or does not miss, is passed over. It returns how many
// messages it took, durable also after an error. A channel is served as soon as
// its last missing message is there.
func (l *Ledger) Import(ctx context.Context, all iter.Seq2[ledger.Evidence, error]) (taken int, err error) {
	if err := l.usable(ctx); err != nil {
		return 0, err
	}
	var batch []ledger.Evidence
	for e, err := range all {
		if err != nil {
			return taken, fmt.Errorf("reading what to import: %w", err)
		}
		if batch = append(batch, e); len(batch) < importBatch {
			continue
		}
		n, err := l.importAll(ctx, batch)
		taken += n
		if err != nil {
			return taken, err
		}
		batch = batch[:0]
	}
	n, err := l.importAll(ctx, batch)
	return taken + n, err
}

// importAll takes a batch in one transaction.
func (l *Ledger) importAll(ctx context.Context, batch []ledger.Evidence) (taken int, err error) {
	err = l.db.Update(ctx, func(tx *sql.Tx) error {
		touched := map[channel.ID]bool{}
		for _, e := range batch {
			ok, err := l.importOne(ctx, tx, e)
			if err != nil {
				return err
			}
			if ok {
				taken++
				touched[e.Message.Channel()] = true
			}
		}
		for id := range touched {
			if err := l.complete(ctx, tx, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, outcome(err)
	}
	return taken, nil
}

// importOne takes a message that is missing.
func (l *Ledger) importOne(ctx context.Context, tx *sql.Tx, e ledger.Evidence) (bool, error) {
	id, n := e.Message.Channel(), e.Message.Number()
	c, err := readChain(ctx, tx, id)
	if errors.Is(err, ledger.ErrNotListed) || err == nil && n >= c.first {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := readEntry(ctx, tx, id, n); !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	proof, state, err := l.open(e)
	if err != nil {
		return false, err
	}
	if state.Alias.ID != stardust.Hash(c.alias) || state.Alias.Issuer != stardust.Address(l.issuer) {
		return false, fmt.Errorf("message %d of channel %s is on alias %v, not on the channel's: %w", n, id, state.Alias.ID, ledger.ErrInvalidProof)
	}
	path := []byte{}
	for _, h := range proof.Path.Hashes {
		path = append(path, h[:]...)
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO milestone (id, raw) VALUES ($1, $2) ON CONFLICT DO NOTHING", int64(state.Milestone.Index), proof.Milestone)
	if err == nil {
		err = insertEntry(ctx, tx, entryRow{
			Entry: ledger.Entry{Message: e.Message, Time: state.Milestone.Time, Index: state.Index},
			block: proof.Block, size: int(proof.Path.Size), path: path,
		})
	}
	return err == nil, err
}

// open checks a proof under the coordinator's keys of its own time.
func (l *Ledger) open(e ledger.Evidence) (ledger.StardustProof, ledger.StardustState, error) {
	proof, err := ledger.ParseStardustProof(e.Proof.Text)
	if err != nil {
		return ledger.StardustProof{}, ledger.StardustState{}, err
	}
	state, err := proof.Open(e.Message)
	if err != nil {
		return ledger.StardustProof{}, ledger.StardustState{}, err
	}
	_, err = l.policy(state.Milestone.Index).Verify(e.Message, e.Proof)
	return proof, state, err
}

// complete serves a channel from then on that misses nothing any more.
func (l *Ledger) complete(ctx context.Context, tx *sql.Tx, id channel.ID) error {
	c, err := readChain(ctx, tx, id)
	if err != nil {
		return err
	}
	entries, err := readEntries(ctx, tx, "SELECT "+entryColumns+" FROM entry WHERE channel = $1 AND number < $2 ORDER BY number", id[:], int64(c.first))
	if err != nil || uint64(len(entries)) < c.first {
		return err
	}
	newest, err := c.head(ctx, tx)
	if errors.Is(err, channel.ErrMalformed) || errors.Is(err, channel.ErrBadSignature) {
		return nil // its author ended it with something else
	}
	if err != nil {
		return err
	}
	if c.next > c.first {
		after, err := readEntry(ctx, tx, id, c.first)
		if err != nil {
			return err
		}
		entries = append(entries, after)
	} else if entries[len(entries)-1].Message.Hash() != newest.Hash() {
		return fmt.Errorf("channel %s ends otherwise on the ledger: %w", id, ledger.ErrInvalidProof)
	}
	var prev channel.Hash
	for n, e := range entries {
		if err := e.Message.Check(id, newest.Mode(), uint64(n), prev); err != nil {
			return err
		}
		prev = e.Message.Hash()
	}
	_, err = tx.ExecContext(ctx, "UPDATE channel SET first = 0 WHERE id = $1", id[:])
	return err
}
