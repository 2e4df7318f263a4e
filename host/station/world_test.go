package station_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/station"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// fate is what happens to one command or call.
type fate int

const (
	arrives fate = iota
	torn         // it is not performed
	lost         // it is performed, and its answer does not arrive
	taken        // of a ledger that needs time: it is performed when the next one for the same number comes
)

// at is the fate of the n-th command or call; all others arrive.
func at(n int, f fate) func(int) fate {
	return func(now int) fate {
		if now == n {
			return f
		}
		return arrives
	}
}

// errGone is what a caller sees when card or ledger did not answer.
var errGone = errors.New("connection gone")

// testCard is a card that can be torn out at any command.
type testCard struct {
	*cardtest.Card
	commands int
	fate     func(n int) fate
}

func newCard(name string) *testCard { return &testCard{Card: cardtest.New(name)} }

func (c *testCard) Transmit(command []byte) ([]byte, error) {
	f := arrives
	if c.fate != nil {
		f = c.fate(c.commands)
	}
	c.commands++
	if f == torn {
		c.Reset()
		return nil, errGone
	}
	answer, err := c.Card.Transmit(command)
	if f == lost {
		c.Reset()
		return nil, errGone
	}
	return answer, err
}

// world is a ledger in memory, the state folded from it and a clock that ticks.
type world struct {
	*ledger.Memory
	mu  sync.Mutex
	now time.Time

	tooOld map[channel.ID]error

	calls int
	fate  func(n int) fate  // of the n-th call of a method that can fail
	slow  []channel.Message // taken and not decided
}

func newWorld(t require.TestingT) *world {
	private, _, err := note.GenerateKey(bytes.NewReader(make([]byte, 64)), "log.example.com")
	require.NoError(t, err)
	signer, err := ledger.NewSigner(private)
	require.NoError(t, err)
	w := &world{now: time.UnixMilli(1_790_000_000_000)}
	w.Memory = ledger.NewMemory("log.example.com", signer, w.clock)
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Millisecond)
	return w.now
}

// station is one of the issuer with this name.
func (w *world) station(issuer string) *station.Station {
	i := secrets.Issuer{
		Created: time.Unix(1790000000, 0).UTC(), Name: issuer, URL: "https://" + issuer + ".example.com",
		Seed: sha256.Sum256([]byte(issuer)), Next: sha256.Sum256([]byte(issuer + " next")), Taps: channel.Seed{1},
	}
	return station.New(station.Options{
		Ledger: w, List: w, Registry: w,
		Issuer: i, Authors: secrets.NewAuthors(secrets.Secrets{Issuers: []secrets.Issuer{i}}),
		Name: "bench 1", Random: bytes.NewReader(make([]byte, 1<<16)), Now: w.clock,
	})
}

// call lets one call of the ledger arrive, not arrive, or arrive with its answer lost.
func (w *world) call(do func() error) error {
	f := arrives
	if w.fate != nil {
		f = w.fate(w.calls)
	}
	w.calls++
	switch f {
	case torn:
		return fmt.Errorf("%w: %w", ledger.ErrUnavailable, errGone)
	case lost:
		do()
		return fmt.Errorf("%w: %w", ledger.ErrUncertain, errGone)
	}
	return do()
}

func (w *world) Info(ctx context.Context) (info ledger.Info, err error) {
	err = w.call(func() (err error) { info, err = w.Memory.Info(ctx); return err })
	return info, err
}

func (w *world) Submit(ctx context.Context, m channel.Message) (r ledger.Receipt, err error) {
	if w.fate != nil && w.fate(w.calls) == taken {
		w.calls++
		w.slow = append(w.slow, m)
		return r, fmt.Errorf("%w: %w", ledger.ErrUncertain, errGone)
	}
	for _, first := range w.slow {
		if first.Channel() != m.Channel() || first.Number() != m.Number() {
			continue
		}
		if _, err := w.Memory.Submit(ctx, first); err != nil {
			return r, err
		}
	}
	err = w.call(func() (err error) { r, err = w.Memory.Submit(ctx, m); return err })
	return r, err
}

func (w *world) Await(ctx context.Context, r ledger.Receipt, p ledger.Phase) (done ledger.Receipt, err error) {
	err = w.call(func() (err error) { done, err = w.Memory.Await(ctx, r, p); return err })
	return done, err
}

func (w *world) Head(ctx context.Context, id channel.ID) (e ledger.Entry, err error) {
	err = w.call(func() (err error) { e, err = w.Memory.Head(ctx, id); return err })
	return e, err
}

func (w *world) List(ctx context.Context, ids ...channel.ID) error {
	return w.call(func() error { return w.Memory.List(ctx, ids...) })
}

func (w *world) Sync(ctx context.Context) error {
	return w.call(func() error { return nil })
}

func (w *world) Card(_ context.Context, id tap.CardID) (record.Card, error) {
	_, states, err := w.history()
	if err != nil {
		return record.Card{}, err
	}
	card, ok, err := states.Card(id)
	if err == nil && !ok {
		err = registry.ErrUnknownCard
	}
	return card, err
}

func (w *world) TooOld(id channel.ID) error { return w.tooOld[id] }

func (w *world) CheckIssuer(_ context.Context, id channel.ID) error {
	_, states, err := w.history()
	if err != nil {
		return err
	}
	if issuer, found, err := states.Issuer(id); err != nil || found && issuer.Moved {
		return errors.Join(err, registry.ErrMoved)
	}
	return nil
}

// history is everything on the ledger, and the state it folds to.
func (w *world) history() ([]ledger.Entry, *record.Map, error) {
	var all []ledger.Entry
	states := record.NewMap()
	err := w.Memory.Follow(context.Background(), ledger.Position{}, func(batch []ledger.Entry, _ ledger.Position) error {
		if len(batch) == 0 {
			return ledger.ErrStop
		}
		all = append(all, batch...)
		for _, e := range batch {
			if err := record.Fold(states, e); err != nil {
				return err
			}
		}
		return nil
	})
	return all, states, err
}

// order is a plain card, locked at the end, agreed to by everybody.
func order(t require.TestingT) station.Order {
	template, err := tap.PlainTemplate("https://tap.example.com/t")
	require.NoError(t, err)
	return station.Order{
		Template: template, Algorithm: tap.P256, Subject: record.SubjectProduct, Lock: true,
		Confirm: func(station.Irreversible, tap.CardID) error { return nil },
	}
}

func quiet(station.Event) {}

// personalise runs the issuer "acme"'s station once.
func (w *world) personalise(t *testing.T, card *testCard) (station.Report, error) {
	t.Helper()
	return w.station("acme").Personalise(t.Context(), card, order(t), quiet)
}
