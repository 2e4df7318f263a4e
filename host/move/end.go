package move

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

// Registry is what End knows of cards, as host/registry has it.
type Registry interface {
	Sync(ctx context.Context) error
	Issuer(ctx context.Context, id channel.ID) (record.Issuer, error)
	Folded(ctx context.Context) iter.Seq2[record.Card, error]
}

// Ended counts what End left.
type Ended struct {
	Issuers, Cards int
	Unfinished     int // cards that are registered and were never in service: they go along, and are finished where they go
}

// Ending says what is to end, and where it goes on.
type Ending struct {
	Ledger   ledger.Ledger
	Registry Registry
	Authors  Authors
	Issuers  []channel.ID // opened on the ledger, and their secrets are here
	To       string       // origin of the log, or name of the network
	Now      func() time.Time
}

// End ends the channels of issuers and of all their cards. That is for good: from then on the ledger only keeps what was. First the
// issuers' channels end, so that no card comes up meanwhile; a tap that is recorded meanwhile goes before the end. What ended
// before is passed over, when it did for the same ledger; else the error is ErrNotMoved.
func (o Ending) End(ctx context.Context) (Ended, error) {
	e := Ended{Issuers: len(o.Issuers)}
	mine := make(map[channel.ID]bool)
	for _, id := range o.Issuers {
		if err := o.endIssuer(ctx, id); err != nil {
			return e, fmt.Errorf("ending the channel of issuer %v: %w", id, err)
		}
		mine[id] = true
	}
	for {
		again, err := o.endCards(ctx, mine, &e)
		if err != nil || !again {
			return e, err
		}
	}
}

func (o Ending) endIssuer(ctx context.Context, id channel.ID) error {
	author, err := o.Authors.Issuer(id)
	if err != nil {
		return err
	}
	body, err := record.IssuerMoved{To: o.To}.Encode()
	if err != nil {
		return err
	}
	for {
		if err := o.Registry.Sync(ctx); err != nil {
			return err
		}
		issuer, err := o.Registry.Issuer(ctx, id)
		if err != nil {
			return err
		}
		if issuer.Moved {
			return sameGoal(issuer.Place, o.To)
		}
		lost, err := o.write(ctx, author, issuer.Head, body)
		if err != nil {
			return err
		}
		if !lost {
			return nil
		}
	}
}

func sameGoal(place, to string) error {
	if place != to {
		return fmt.Errorf("%w: it moved to %s before", ErrNotMoved, place)
	}
	return nil
}

// write records the message after head, unless another one takes the number: then lost is true.
func (o Ending) write(ctx context.Context, author *channel.Author, head record.Ref, body []byte) (lost bool, err error) {
	m, err := author.Sign(channel.Draft{Number: head.Number + 1, Prev: head.Hash, Time: o.Now(), Body: body})
	if err != nil {
		return false, err
	}
	_, err = ledger.Record(ctx, o.Ledger, m)
	if _, taken := errors.AsType[*ledger.Conflict](err); taken {
		return true, nil
	}
	return false, err
}

// endCards ends the channels of all cards as they stand now, and says whether one of them had gone on meanwhile.
func (o Ending) endCards(ctx context.Context, mine map[channel.ID]bool, e *Ended) (again bool, err error) {
	if err := o.Registry.Sync(ctx); err != nil {
		return false, err
	}
	e.Cards, e.Unfinished = 0, 0
	var cards []record.Card
	var grown atomic.Bool
	flush := func() error {
		err := each(ctx, cards, func(ctx context.Context, c record.Card) error {
			lost, err := o.endCard(ctx, c)
			if lost {
				grown.Store(true)
			}
			return err
		})
		cards = cards[:0]
		return err
	}
	for card, err := range o.Registry.Folded(ctx) {
		switch {
		case err != nil:
			return false, err
		case !mine[card.Issuer]:
			continue
		case card.State == "" || card.State == record.StateLost: // its channel has no message yet
			e.Unfinished++
			continue
		}
		e.Cards++
		if cards = append(cards, card); len(cards) == abreast {
			if err := flush(); err != nil {
				return false, err
			}
		}
	}
	err = flush()
	return grown.Load(), err
}

func (o Ending) endCard(ctx context.Context, c record.Card) (lost bool, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("ending the channel of card %v: %w", c.ID, err)
		}
	}()
	if c.State == record.StateMoved {
		return false, sameGoal(c.Place, o.To)
	}
	author, err := o.Authors.Taps(c.Issuer, c.ID)
	if err != nil {
		return false, err
	}
	body, err := record.ChannelMoved{Last: c.Last, State: record.StateMoved, Settings: c.Settings, To: o.To, Was: c.State}.Encode()
	if err != nil {
		return false, err
	}
	return o.write(ctx, author, c.Head, body)
}
