package tlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/pkg/ledger"
)

// OpenReader opens the log in a database, which is named as for store.Open, to be
// looked at: whoever has the log's verifier key can, without its signer. It changes
// nothing, asks no guard and takes no message ([ErrReadOnly]). Errors: as those of Open.
func OpenReader(ctx context.Context, name, origin, key string) (*Log, error) {
	l, err := newLog(Options{Origin: origin}, key)
	if err != nil {
		return nil, err
	}
	l.db, err = store.OpenReader(ctx, name, store.Options{Migrations: migrations, Schema: schema})
	if errors.Is(err, store.ErrMissing) {
		err = fmt.Errorf("%w: %w", ErrMissing, err)
	}
	if err != nil {
		return nil, fmt.Errorf("opening log %q: %w", origin, err)
	}
	if err := l.beginReading(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening log %q in %s: %w", origin, store.Name(name), err), l.db.Close())
	}
	return l, nil
}

// Origin names the log.
func (l *Log) Origin() string { return l.o.Origin }

// Against compares the log with a checkpoint that it signed earlier and somebody
// kept: a client, a witness, a guard. It asks no guard itself. Nil says that the log
// begins with exactly the messages under that checkpoint. Errors: [ErrRolledBack],
// [ErrForked]; ledger.ErrInvalidProof for a text that this log did not sign.
func (l *Log) Against(ctx context.Context, checkpoint []byte) error {
	c, err := ledger.ParseCheckpoint(checkpoint, l.o.Origin, l.verifier)
	if err != nil {
		return err
	}
	return l.snapshot(ctx, func(v *view) error {
		if err := v.checkEnd(); err != nil {
			return err
		}
		return v.extends(&signedTree{checkpoint, c})
	})
}
