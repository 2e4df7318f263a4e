package station_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/host/station"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/t4t"
	"github.com/productid/productid/pkg/tap"
)

func TestPersonaliseMakesACardThatVerifies(t *testing.T) {
	w, card := newWorld(t), newCard("card")
	var done []station.Step
	report, err := w.station("acme").Personalise(t.Context(), card, order(t), func(e station.Event) {
		if e.Done {
			done = append(done, e.Step)
			assert.NotEmpty(t, e.Detail, e.Step)
		}
	})
	require.NoError(t, err)
	assert.Equal(t, []station.Step{station.StepCard, station.StepKey, station.StepTemplate,
		station.StepIssuer, station.StepRegister, station.StepRehearse, station.StepLock, station.StepTap, station.StepInService}, done)
	assert.Equal(t, card.Soft.ID(), report.ID)
	assert.Equal(t, record.StateInService, report.State)
	assert.NotNil(t, report.Registered)
	assert.NotNil(t, report.InService)
	w.holds(t, card)
}

// holds checks what must be true at the end, however the card came there.
func (w *world) holds(t require.TestingT, card *testCard) {
	entries, states, err := w.history()
	require.NoError(t, err)
	kinds := map[string]int{}
	for _, e := range entries {
		body, err := e.Message.Body()
		require.NoError(t, err)
		r, err := record.Parse(body)
		require.NoError(t, err)
		kinds[r.Kind]++
	}
	require.Equal(t, map[string]int{record.KindIssuerOpened: 1, record.KindCardRegistered: 1, record.KindCardInService: 1}, kinds)
	known, ok, err := states.Card(card.Soft.ID())
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, record.StateInService, known.State)
	require.Equal(t, card.Soft.Counter, known.Last, "everything the card signed until now is used up")
	require.Equal(t, cardtest.Locked, card.State)
	require.Empty(t, states.Rejections(), "every record holds")

	message, err := t4t.Read(card)
	require.NoError(t, err)
	uri, err := ndef.ParseURI(message.NDEF)
	require.NoError(t, err)
	u, err := tap.Parse(uri)
	require.NoError(t, err)
	require.NoError(t, u.Verify(known.Key))
	require.Equal(t, known.Last+1, u.Counter, "the first tap follows at once")
	require.True(t, strings.HasPrefix(uri, known.Template.Prefix))
}

var fates = map[string]fate{"not performed": torn, "answer lost": lost}

func TestSecondRunMendsAFirstCutAtAnyCommand(t *testing.T) {
	clean := newCard("card")
	_, err := newWorld(t).personalise(t, clean)
	require.NoError(t, err)
	require.Greater(t, clean.commands, 10)
	for n := range clean.commands {
		for name, fate := range fates {
			w, card := newWorld(t), newCard("card")
			card.fate = at(n, fate)
			_, err := w.personalise(t, card)
			require.ErrorIs(t, err, errGone, "command %d %s", n, name)
			_, err = w.personalise(t, card)
			require.NoError(t, err, "after command %d %s", n, name)
			w.holds(t, card)
		}
	}
	t.Logf("%d commands x %d fates, each mended by one second run", clean.commands, len(fates))
}

func TestSecondRunMendsAFirstCutAtAnyLedgerCall(t *testing.T) {
	clean := newWorld(t)
	_, err := clean.personalise(t, newCard("card"))
	require.NoError(t, err)
	require.Greater(t, clean.calls, 8)
	for n := range clean.calls {
		for name, fate := range fates {
			w, card := newWorld(t), newCard("card")
			w.fate = at(n, fate)
			_, err := w.personalise(t, card)
			require.ErrorIs(t, err, errGone, "call %d %s", n, name)
			_, err = w.personalise(t, card)
			require.NoError(t, err, "after call %d %s", n, name)
			w.holds(t, card)
		}
	}
	t.Logf("%d ledger calls x %d fates, each mended by one second run", clean.calls, len(fates))
}

// TestSecondRunMendsAFirstWhoseMessageIsOnlyTaken: on a ledger that needs time a first run's message can be decided not before the
// second run submits another with its number.
func TestSecondRunMendsAFirstWhoseMessageIsOnlyTaken(t *testing.T) {
	clean := newWorld(t)
	_, err := clean.personalise(t, newCard("card"))
	require.NoError(t, err)
	submissions := 0
	for n := range clean.calls {
		w, card := newWorld(t), newCard("card")
		w.fate = at(n, taken)
		_, err := w.personalise(t, card)
		if len(w.slow) == 0 {
			continue // no submission
		}
		submissions++
		require.ErrorIs(t, err, ledger.ErrUncertain, "call %d", n)
		w.fate = nil
		report, err := w.personalise(t, card)
		require.NoError(t, err, "after call %d", n)
		assert.Equal(t, record.StateInService, report.State)
		all, states, err := w.history()
		require.NoError(t, err)
		require.Len(t, all, 3, "one opening, one registration, one beginning of service")
		require.Empty(t, states.Rejections())
	}
	require.Equal(t, 3, submissions)
}

func TestAnyNumberOfCutsIsMended(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, card := newWorld(t), newCard("card")
		draw := func(int) fate {
			return rapid.SampledFrom([]fate{arrives, arrives, arrives, arrives, arrives, arrives, torn, lost}).Draw(t, "fate")
		}
		card.fate, w.fate = draw, draw
		for range rapid.IntRange(0, 12).Draw(t, "runs") {
			w.station("acme").Personalise(context.Background(), card, order(t), quiet)
			card.Reset()
		}
		card.fate, w.fate = nil, nil
		_, err := w.station("acme").Personalise(context.Background(), card, order(t), quiet)
		require.NoError(t, err)
		w.holds(t, card)
	})
}

// TestLyingCardNeverGetsARecordThatDoesNotHold: one answer of a card is replaced by anything, or by a changed one.
func TestLyingCardNeverGetsARecordThatDoesNotHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, card := newWorld(t), newCard("card")
		n, at := 0, rapid.IntRange(0, 32).Draw(t, "command")
		card.After = func(_ apdu.Command, answer []byte) ([]byte, error) {
			n++
			if n-1 != at {
				return answer, nil
			}
			if rapid.Bool().Draw(t, "anything") {
				return rapid.SliceOfN(rapid.Byte(), 0, 260).Draw(t, "answer"), nil
			}
			answer[rapid.IntRange(0, len(answer)-1).Draw(t, "byte")] ^= byte(rapid.IntRange(1, 255).Draw(t, "change"))
			return answer, nil
		}
		w.station("acme").Personalise(context.Background(), card, order(t), quiet)
		card.After = nil
		card.Reset()
		_, err := w.station("acme").Personalise(context.Background(), card, order(t), quiet)
		require.NoError(t, err)
		w.holds(t, card)
	})
}

func TestRunOnAFinishedCardChangesNothing(t *testing.T) {
	w, card := newWorld(t), newCard("card")
	_, err := w.personalise(t, card)
	require.NoError(t, err)
	before, _, err := w.history()
	require.NoError(t, err)
	counter := card.Soft.Counter
	report, err := w.personalise(t, card)
	require.NoError(t, err)
	after, _, err := w.history()
	require.NoError(t, err)
	assert.Len(t, after, len(before))
	assert.Equal(t, counter, card.Soft.Counter, "no count is used up")
	assert.Equal(t, record.StateInService, report.State)
	assert.Nil(t, report.Registered)
}

func TestWithoutLockItStopsBeforeAndGoesOnLater(t *testing.T) {
	w, card := newWorld(t), newCard("card")
	o := order(t)
	o.Lock = false
	report, err := w.station("acme").Personalise(t.Context(), card, o, quiet)
	require.NoError(t, err)
	assert.Equal(t, "registered", report.State)
	assert.Equal(t, cardtest.Keyed, card.State)
	report, err = w.personalise(t, card)
	require.NoError(t, err)
	assert.Equal(t, record.StateInService, report.State)
	w.holds(t, card)
}

func TestRegisteredCardIsFinishedWithoutItsOrder(t *testing.T) {
	w, card := newWorld(t), newCard("card")
	o := order(t)
	_, _, err := w.station("acme").Registered(t.Context(), card)
	assert.ErrorIs(t, err, station.ErrNotRegistered)
	o.Lock = false
	_, err = w.station("acme").Personalise(t.Context(), card, o, quiet)
	require.NoError(t, err)
	finish, issuer, err := w.station("acme").Registered(t.Context(), card)
	require.NoError(t, err)
	assert.Equal(t, w.station("acme").Issuer.Author().Channel(), issuer)
	finish.Confirm = o.Confirm
	_, err = w.station("acme").Personalise(t.Context(), card, finish, quiet)
	require.NoError(t, err)
	w.holds(t, card)
}

// TestNoCardIsMadeOnAChannelThatCannotBeRead: not even its key.
func TestNoCardIsMadeOnAChannelThatCannotBeRead(t *testing.T) {
	w, card := newWorld(t), newCard("card")
	w.tooOld = map[channel.ID]error{w.station("acme").Issuer.Author().Channel(): record.ErrMust}
	_, err := w.personalise(t, card)
	require.ErrorIs(t, err, record.ErrMust)
	assert.Equal(t, cardtest.Installed, card.State)
	_, err = w.station("acme").Plan(t.Context(), card, order(t))
	require.ErrorIs(t, err, record.ErrMust)
	_, err = w.station("other").Personalise(t.Context(), card, order(t), quiet)
	require.NoError(t, err, "another issuer goes on")
}

func TestCardOfAnotherIssuerIsRefused(t *testing.T) {
	w, card := newWorld(t), newCard("card")
	_, err := w.station("other").Personalise(t.Context(), card, order(t), quiet)
	require.NoError(t, err)
	before, _, err := w.history()
	require.NoError(t, err)
	_, err = w.personalise(t, card)
	assert.ErrorIs(t, err, station.ErrForeign)
	after, _, err := w.history()
	require.NoError(t, err)
	assert.Len(t, after, len(before), "nothing is written for a refused card")
}

func TestCardLockedElsewhereIsRefused(t *testing.T) {
	card := newCard("card")
	_, err := newWorld(t).personalise(t, card)
	require.NoError(t, err)
	_, err = newWorld(t).personalise(t, card)
	assert.ErrorIs(t, err, station.ErrNotRegistered)
}

// keyed makes a card with a key and a template that no ledger knows.
func keyed(t *testing.T, address string) *testCard {
	t.Helper()
	card := newCard("card")
	cut := newWorld(t)
	cut.fate = at(6, torn) // past the template, before the registration
	o := order(t)
	var err error
	o.Template, err = tap.PlainTemplate(address)
	require.NoError(t, err)
	_, err = cut.station("acme").Personalise(t.Context(), card, o, quiet)
	require.Error(t, err)
	entries, _, err := cut.history()
	require.NoError(t, err)
	require.Len(t, entries, 1, "the issuer's channel alone")
	return card
}

func TestNothingIrreversibleWithoutConsent(t *testing.T) {
	refuse := errors.New("no")
	for _, row := range []struct {
		at    station.Irreversible
		state cardtest.State
	}{{station.MakesKey, cardtest.Installed}, {station.Locks, cardtest.Keyed}} {
		w, card := newWorld(t), newCard("card")
		o := order(t)
		o.Confirm = func(what station.Irreversible, id tap.CardID) error {
			if what == row.at {
				return refuse
			}
			return nil
		}
		_, err := w.station("acme").Personalise(t.Context(), card, o, quiet)
		assert.ErrorIs(t, err, refuse)
		assert.Equal(t, row.state, card.State)
		entries, _, err := w.history()
		require.NoError(t, err)
		if row.at == station.MakesKey {
			assert.Empty(t, entries, "nothing is on the ledger before the first consent")
		}
		_, err = w.personalise(t, card)
		require.NoError(t, err)
		w.holds(t, card)
	}
}

func TestCancelledRunStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w, card := newWorld(t), newCard("card")
	_, err := w.station("acme").Personalise(ctx, card, order(t), func(e station.Event) {
		if e.Step == station.StepTemplate && e.Done {
			cancel()
		}
	})
	assert.ErrorIs(t, err, context.Canceled)
	_, err = w.personalise(t, card)
	require.NoError(t, err)
	w.holds(t, card)
}

func TestTwoStationsShareAnIssuersChannel(t *testing.T) {
	w := newWorld(t)
	const cards = 8
	_, err := w.personalise(t, newCard("first"))
	require.NoError(t, err)
	errs := make(chan error, cards)
	for n := range cards {
		s, card, o := w.station("acme"), newCard(fmt.Sprint("card ", n)), order(t)
		s.Options.Registry, s.Options.Ledger, s.Options.List = &registryOf{w}, w.Memory, w.Memory
		go func() {
			_, err := s.Personalise(context.Background(), card, o, quiet)
			errs <- err
		}()
	}
	for range cards {
		assert.NoError(t, <-errs)
	}
	entries, _, err := w.history()
	require.NoError(t, err)
	assert.Len(t, entries, 1+2*(1+cards))
}

// registryOf reads the ledger without the world's failing calls, which are not for many goroutines.
type registryOf struct{ w *world }

func (r *registryOf) Sync(context.Context) error { return nil }

func (r *registryOf) Card(ctx context.Context, id tap.CardID) (record.Card, error) {
	return r.w.Card(ctx, id)
}

func (r *registryOf) TooOld(channel.ID) error { return nil }

func (r *registryOf) CheckIssuer(context.Context, channel.ID) error { return nil }

func TestPlanWritesNothing(t *testing.T) {
	w, card := newWorld(t), newCard("card")
	plan, err := w.station("acme").Plan(t.Context(), card, order(t))
	require.NoError(t, err)
	var steps []station.Step
	for _, p := range plan {
		steps = append(steps, p.Step)
		for _, c := range p.Commands {
			_, err := apdu.ParseCommand(c)
			assert.NoError(t, err)
		}
	}
	assert.Equal(t, []station.Step{station.StepKey, station.StepTemplate, station.StepRegister, station.StepLock, station.StepInService}, steps)
	assert.Equal(t, cardtest.Installed, card.State)
	_, err = w.Memory.Head(t.Context(), channel.ID{})
	assert.ErrorIs(t, err, ledger.ErrNoChannel)
	entries, _, err := w.history()
	require.NoError(t, err)
	assert.Empty(t, entries)

	_, err = w.personalise(t, card)
	require.NoError(t, err)
	counter := card.Soft.Counter
	plan, err = w.station("acme").Plan(t.Context(), card, order(t))
	require.NoError(t, err)
	assert.Empty(t, plan, "nothing is left to do")
	assert.Equal(t, counter, card.Soft.Counter)
}
