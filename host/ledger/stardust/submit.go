package stardust

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// List admits channels, durable on return: from then on a first message of theirs
// makes an alias and locks a deposit. To list one again changes nothing. Channels
// that the ledger has already are listed.
func (l *Ledger) List(ctx context.Context, ids ...channel.ID) error {
	if err := l.usable(ctx); err != nil {
		return err
	}
	return outcome(l.db.Update(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			_, err := tx.ExecContext(ctx, "INSERT INTO channel (id, next, first) VALUES ($1, 0, 0) ON CONFLICT DO NOTHING", id[:])
			if err != nil {
				return err
			}
		}
		return nil
	}))
}

// Submit signs the transaction of m, archives it and sends it: on return without
// error it is durable and taken, or final where it was recorded before.
//
// While another message for the same number is signed and not decided, Submit
// waits for that decision: two transactions for one number are never under way
// from one archive. ledger.ErrUnavailable says that nothing was signed.
func (l *Ledger) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	if err := l.usable(ctx); err != nil {
		return ledger.Receipt{}, err
	}
	if err := ledger.Whole(m); err != nil {
		return ledger.Receipt{}, err
	}
	if err := l.catchUp(ctx); err != nil {
		return ledger.Receipt{}, err
	}
	r := request{message: m}
	if a, ok := l.o.Author(m.Channel()); ok && a.Channel() == m.Channel() {
		r.author = a
	}
	begun := time.Now()
	for {
		news := l.growing()
		d, err := l.writer.Do(ctx, r)
		if err != nil {
			return ledger.Receipt{}, outcome(err)
		}
		switch {
		case d.entry != nil:
			return l.receipt(ctx, *d.entry)
		case d.pending != nil:
			if err := l.carry(ctx, d.pending); err != nil {
				return ledger.Receipt{}, err
			}
			return d.pending.receipt(l.params.NetworkName), nil
		case d.first != nil:
			err = l.carryOther(ctx, d.first)
		case d.unpaid:
			err = l.carryCreations(ctx)
		}
		// Nothing of the caller's is signed yet.
		if err := l.hopeless(begun, err); err != nil {
			return ledger.Receipt{}, fmt.Errorf("%w: earlier messages are not decided: %v", ledger.ErrUnavailable, err)
		}
		if err := l.wait(ctx, news, carryPause); err != nil {
			return ledger.Receipt{}, err
		}
	}
}

// carryPause is after how long without news an undecided transaction is looked at
// again.
const carryPause = time.Second

// carryOther brings another message's transaction on. That the ledger refuses it is
// its author's affair.
func (l *Ledger) carryOther(ctx context.Context, p *pending) error {
	err := l.carryOn(ctx, p)
	if errors.Is(err, ErrRefused) {
		return nil
	}
	return err
}

// carryCreations brings on every creation that holds money, also those that nobody
// waits for any more; once for each milestone, whoever asks.
func (l *Ledger) carryCreations(ctx context.Context) error {
	l.creations.Lock()
	defer l.creations.Unlock()
	now := l.now()
	if now == l.carried {
		return nil
	}
	l.carried = now
	rows, err := l.db.Read().QueryContext(ctx, "SELECT "+pendingColumns+" FROM pending WHERE number = 0 AND dead = 0")
	if err != nil {
		return unreadable(ctx, err)
	}
	var all []*pending
	for rows.Next() {
		p, err := scanPending(rows.Scan)
		if err != nil {
			return errors.Join(unreadable(ctx, err), rows.Close())
		}
		all = append(all, p)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return unreadable(ctx, err)
	}
	for _, p := range all {
		if err := l.carryOther(ctx, p); err != nil {
			return err
		}
	}
	return nil
}
