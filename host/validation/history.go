package validation

import (
	"context"
	"errors"
	"fmt"

	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// decidedBy returns the first message of the channel after which the counter was used up; head is the channel's newest. Counters
// only grow with the numbers, so it bisects: 20 reads in a channel of a million taps.
func (s *Service) decidedBy(ctx context.Context, head ledger.Entry, counter uint32) (ledger.Entry, error) {
	found := head
	low, high := uint64(0), head.Message.Number()
	for low < high {
		middle := low + (high-low)/2
		entry, err := s.entry(ctx, head, middle)
		if err != nil {
			return entry, err
		}
		at, err := headOf(entry)
		if err != nil {
			return entry, err
		}
		if at.Last >= counter {
			found, high = entry, middle
		} else {
			low = middle + 1
		}
	}
	return found, nil
}

// Recorded returns the message in which a tap of the card with this counter is recorded, or false when there is none. Errors are those of
// Validate.
func (s *Service) Recorded(ctx context.Context, card record.Card, counter uint32) (ledger.Entry, bool, error) {
	head, err := s.Ledger.Head(ctx, card.Taps)
	if errors.Is(err, ledger.ErrNoChannel) {
		return ledger.Entry{}, false, nil
	}
	if err != nil {
		return ledger.Entry{}, false, fmt.Errorf("reading the channel of card %v: %w", card.ID, err)
	}
	newest, err := headOf(head)
	if err != nil || counter > newest.Last {
		return ledger.Entry{}, false, err
	}
	decided, err := s.decidedBy(ctx, head, counter)
	if err != nil {
		return ledger.Entry{}, false, err
	}
	_, recorded := tapIn(decided, tap.URL{ID: card.ID, Counter: counter})
	return decided, recorded, nil
}

func (s *Service) entry(ctx context.Context, head ledger.Entry, number uint64) (ledger.Entry, error) {
	id := head.Message.Channel()
	entries, err := s.Ledger.Range(ctx, id, number, 1)
	if err != nil {
		return ledger.Entry{}, fmt.Errorf("reading message %d of channel %v: %w", number, id, err)
	}
	if len(entries) != 1 {
		return ledger.Entry{}, fmt.Errorf("reading message %d of channel %v: %w: it is not there", number, id, ledger.ErrUnavailable)
	}
	return entries[0], nil
}

// tapIn returns the record of the tap when the message is that.
func tapIn(e ledger.Entry, t tap.URL) (record.Tap, bool) {
	body, err := e.Message.Body()
	if err != nil {
		return record.Tap{}, false
	}
	r, err := record.Parse(body)
	if err != nil {
		return record.Tap{}, false
	}
	found, ok := r.Value.(record.Tap)
	return found, ok && uint32(found.Counter) == t.Counter
}

// explain tells a tap that was recorded before from one that a newer record overtook, and says when that was.
func (v Verdict) explain(t tap.URL, decided ledger.Entry) Verdict {
	if _, recorded := tapIn(decided, t); !recorded {
		v.Code = Superseded
	}
	v.When = &decided.Time
	return v
}
