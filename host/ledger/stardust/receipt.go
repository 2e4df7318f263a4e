package stardust

import (
	"context"
	"database/sql"
	"errors"

	"github.com/productid/productid/pkg/ledger"
)

// receipt returns the final receipt of an archived message, whose proof was checked
// anew.
func (l *Ledger) receipt(ctx context.Context, e ledger.Entry) (ledger.Receipt, error) {
	var p ledger.StardustProof
	var size int64
	var path []byte
	err := l.db.Read().QueryRowContext(ctx, "SELECT block, size, path, milestone.raw FROM entry JOIN milestone ON milestone.id = $1 WHERE place = $2",
		int64(e.Index>>32), int64(e.Index)).Scan(&p.Block, &size, &path, &p.Milestone)
	if errors.Is(err, sql.ErrNoRows) {
		return ledger.Receipt{}, damaged("milestone %d of message %d of channel %s is gone", e.Index>>32, e.Message.Number(), e.Message.Channel())
	}
	if err != nil {
		return ledger.Receipt{}, unreadable(ctx, err)
	}
	p.Path = newPath(int(uint32(e.Index)), int(size), path)
	r := e.Receipt(l.params.NetworkName, ledger.Final, p.Proof())
	verified, err := l.policy(uint32(e.Index>>32)).Verify(e.Message, r.Proof)
	if err != nil {
		return ledger.Receipt{}, damaged("proof of message %d of channel %s: %w", r.Number, r.Channel, err)
	}
	if verified.Index != r.Index || !verified.Time.Equal(r.Time) {
		return ledger.Receipt{}, damaged("message %d of channel %s is recorded %s", r.Number, r.Channel, verified.Time)
	}
	return r, nil
}
