package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/productid/productid/pkg/channel"
)

// Record submits m and returns when it is final: not before may anybody say "recorded". It can be repeated with the same message.
// Errors are those of Submit, and *Conflict or ErrUncertain when the waiting ends otherwise: a message that was submitted may
// still be recorded, whatever kept this process from seeing it.
func Record(ctx context.Context, l Ledger, m channel.Message) (Receipt, error) {
	r, err := l.Submit(ctx, m)
	if err != nil {
		return Receipt{}, err
	}
	return Finish(ctx, l, r)
}

// Finish waits until what was submitted is final, with the errors of Record.
func Finish(ctx context.Context, l Ledger, r Receipt) (Receipt, error) {
	if r.Phase >= Final {
		return r, nil
	}
	r, err := l.Await(ctx, r, Final)
	if lost := (*Conflict)(nil); err == nil || errors.As(err, &lost) {
		return r, err
	}
	return Receipt{}, fmt.Errorf("%w: %w", ErrUncertain, err)
}
