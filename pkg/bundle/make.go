package bundle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// page is the number of messages that Make asks a ledger for at once.
const page = 256

// Options are what a bundle may have beside a card's messages.
type Options struct {
	// Registration is the number of the card's registration on the issuer's channel.
	// With 0 Make looks for it, which reads the channel up to there.
	Registration uint64
	// Phase is how far the newest message has to be, as Ledger.Await has it; Make waits
	// for it. Zero is Final.
	Phase ledger.Phase
	// Author is the tap channel's: it signs that nothing newer exists. nil signs nothing.
	Author *channel.Author
	// Now gives the time of that signature. It is read before the channel is.
	Now func() time.Time
	// Anchored finds the message that records this checkpoint on another ledger, with
	// its proof. nil puts none in the bundle.
	Anchored func(ctx context.Context, checkpoint []byte) (ledger.Evidence, error)
}

// Make returns the bundle of a card of an issuer, with all messages that the card's tap
// channel has on the ledger. It checks no policy. The error is ErrNotRegistered,
// ErrTooLarge, or the ledger's own: ErrUnavailable, and ledger.ErrInvalidProof
// where its proofs do not fit together.
func Make(ctx context.Context, l ledger.Ledger, issuer channel.ID, card tap.CardID, o Options) ([]byte, error) {
	data, err := makeBundle(ctx, l, issuer, card, o)
	if err != nil {
		return nil, fmt.Errorf("making the bundle of card %v: %w", card, err)
	}
	return data, nil
}

func makeBundle(ctx context.Context, l ledger.Ledger, issuer channel.ID, card tap.CardID, o Options) ([]byte, error) {
	f := &file{card: card}
	taps, err := f.readIssuer(ctx, l, issuer, o.Registration)
	if err != nil {
		return nil, err
	}
	var asOf time.Time
	if o.Author != nil {
		asOf = o.Now()
	}
	if err := f.readTaps(ctx, l, taps); err != nil {
		return nil, err
	}
	if err := f.prove(ctx, l, o.Phase); err != nil {
		return nil, err
	}
	v, err := f.check()
	if err != nil {
		return nil, err
	}
	if o.Author != nil && len(f.taps) > 0 {
		if err := v.signHead(o.Author, asOf); err != nil {
			return nil, err
		}
	}
	if o.Anchored != nil && f.log != nil {
		e, err := o.Anchored(ctx, []byte(f.log.checkpoint))
		if err != nil {
			return nil, fmt.Errorf("looking for the checkpoint's anchor: %w", err)
		}
		if err := f.anchorWith(e); err != nil {
			return nil, err
		}
	}
	data := f.marshal()
	if len(data) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", ErrTooLarge, len(data), MaxSize)
	}
	return data, nil
}

// readIssuer takes the issuer's opening and the card's registration, and returns the tap channel.
func (f *file) readIssuer(ctx context.Context, l ledger.Ledger, issuer channel.ID, number uint64) (channel.ID, error) {
	first, err := l.Range(ctx, issuer, 0, 1)
	if err != nil || len(first) == 0 {
		return channel.ID{}, orNoMessage(err, "issuer's opening")
	}
	f.opening = newEntry(first[0])
	if err := (&verifier{file: f}).opensItself(); err != nil {
		return channel.ID{}, err
	}
	from, n := number, 1
	if number == 0 {
		from, n = 1, page
	}
	for {
		entries, err := l.Range(ctx, issuer, from, n)
		if err != nil {
			return channel.ID{}, fmt.Errorf("reading the issuer's channel: %w", err)
		}
		for _, e := range entries {
			if taps, found := f.registers(e); found {
				return taps, nil
			}
		}
		if number != 0 || len(entries) < n {
			return channel.ID{}, ErrNotRegistered
		}
		from += uint64(len(entries))
	}
}

func orNoMessage(err error, what string) error {
	if err == nil {
		err = ledger.ErrNoMessage
	}
	return fmt.Errorf("reading the %s: %w", what, err)
}

// registers takes a message as the card's registration, if it is one that holds.
func (f *file) registers(e ledger.Entry) (taps channel.ID, holds bool) {
	body, err := e.Message.Body()
	if err != nil {
		return taps, false
	}
	r, err := record.Parse(body)
	if b, ok := r.Value.(record.CardRegistered); err != nil || !ok || b.ID != f.card {
		return taps, false
	}
	f.registration = newEntry(e)
	v := &verifier{file: f}
	if v.fold() != nil {
		return taps, false
	}
	return v.result.Taps, true
}

func newEntry(e ledger.Entry) entry {
	m := e.Message
	if m.Removed() {
		return entry{stub: m.Stub().Bytes(), index: e.Index, time: e.Time, message: m}
	}
	return entry{raw: m.Bytes(), index: e.Index, time: e.Time, message: m}
}

// readTaps takes the tap channel as far as it goes; it may have no message yet.
func (f *file) readTaps(ctx context.Context, l ledger.Ledger, taps channel.ID) error {
	for {
		entries, err := l.Range(ctx, taps, uint64(len(f.taps)), page)
		if errors.Is(err, ledger.ErrNoChannel) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the tap channel: %w", err)
		}
		for _, e := range entries {
			f.taps = append(f.taps, newEntry(e))
		}
		if len(entries) < page {
			return nil
		}
	}
}
