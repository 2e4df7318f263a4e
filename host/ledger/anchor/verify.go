package anchor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// Report is what all the checkpoints on the other ledger amount to.
type Report struct {
	Ledger      string     `json:"ledger"`      // origin of the other ledger
	Channel     channel.ID `json:"channel"`     // where they stand there
	Checkpoints uint64     `json:"checkpoints"` // how many
	Size        uint64     `json:"size"`        // messages of the log under the newest
	Time        time.Time  `json:"time,omitzero"`
	// Findings are the checkpoints that the log contradicts and the messages that are no
	// checkpoints of it, one line each, at most maxFindings; Further counts the rest.
	Findings []string `json:"findings,omitempty"`
	Further  int      `json:"further,omitempty"`
}

// Clean reports whether the log begins with all of them.
func (r Report) Clean() bool { return len(r.Findings) == 0 }

const (
	// page is how many messages are asked for at once.
	page        = 256
	maxFindings = 100
)

// Verify compares the log with every checkpoint that the other ledger has of it, halts
// nothing and writes nothing. progress, when set, is told how many were compared. The
// error says that they could not be compared.
func (a *Anchor) Verify(ctx context.Context, progress func(done uint64)) (Report, error) {
	a.turn.Lock()
	defer a.turn.Unlock()
	r := Report{Channel: a.Channel()}
	if err := a.open(ctx); err != nil {
		return r, unreachable(err)
	}
	info, err := a.other.Info(ctx)
	if err != nil {
		return r, unreachable(err)
	}
	r.Ledger = info.Origin
	for {
		entries, err := a.other.Range(ctx, a.Channel(), r.Checkpoints, page)
		if err != nil && !errors.Is(err, ledger.ErrNoChannel) {
			return r, unreachable(err)
		}
		for _, e := range entries {
			if err := a.look(ctx, e, &r); err != nil {
				return r, err
			}
			r.Checkpoints++
		}
		if progress != nil {
			progress(r.Checkpoints)
		}
		if len(entries) < page {
			return r, nil
		}
	}
}

// look compares the log with one message.
func (a *Anchor) look(ctx context.Context, e ledger.Entry, r *Report) error {
	c, err := a.read(e)
	if err == nil {
		r.Size, r.Time = c.Size, e.Time
		err = a.o.Log.Against(ctx, c.text)
	}
	if err != nil && !errors.Is(err, ErrStrange) && !Refutes(err) {
		return fmt.Errorf("comparing the log with its anchor: %w", err)
	}
	switch {
	case err == nil:
	case len(r.Findings) == maxFindings:
		r.Further++
	default:
		r.Findings = append(r.Findings, fmt.Sprintf("message %d of %s, recorded %s: %v", e.Message.Number(), a.Channel(), e.Time.UTC().Format(time.RFC3339), err))
	}
	return nil
}
