package station_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/station"
	"github.com/productid/productid/pkg/apdu"
	"github.com/productid/productid/pkg/card"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ndef"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// evil is where somebody else would have the card lead.
func evil(t *testing.T) tap.Template {
	t.Helper()
	template, err := tap.PlainTemplate("https://evil.example.net/t")
	require.NoError(t, err)
	return template
}

// slot is a reader with a card on it that can be taken for another.
type slot struct{ *testCard }

// TestNothingIsLockedThatWasNotRehearsed: until the lock anybody may write to the card, and a person may think for long
// before agreeing to it.
func TestNothingIsLockedThatWasNotRehearsed(t *testing.T) {
	for name, meddle := range map[string]func(*testing.T, *slot, *card.Client) error{
		"template": func(t *testing.T, _ *slot, c *card.Client) error { return c.PutTemplate(evil(t)) },
		"profile": func(_ *testing.T, _ *slot, c *card.Client) error {
			return c.PutProfile(card.Profile{ChallengeOnly: true, MaxRead: card.DefaultMaxRead})
		},
		"card": func(t *testing.T, s *slot, _ *card.Client) error {
			s.testCard = newCard("another")
			_, err := newWorld(t).station("acme").Personalise(t.Context(), s, order(t), func(station.Event) {})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, own := newWorld(t), newCard("card")
			s, o := &slot{own}, order(t)
			o.Confirm = func(what station.Irreversible, _ tap.CardID) error {
				if what != station.Locks {
					return nil
				}
				client, err := card.Open(s)
				require.NoError(t, err)
				return meddle(t, s, client)
			}
			_, err := w.station("acme").Personalise(t.Context(), s, o, quiet)
			require.ErrorIs(t, err, station.ErrChanged)
			assert.Equal(t, cardtest.Keyed, own.State, "it is not locked")
			_, err = w.personalise(t, own)
			require.NoError(t, err, "a second run puts it right")
			w.holds(t, own)
		})
	}
}

func TestOnlyACardThatSignsTapsGoesInService(t *testing.T) {
	for name, lie := range map[string]func(*testCard) func(apdu.Command, []byte) ([]byte, error){
		"a reader that keeps the lock to itself": func(c *testCard) func(apdu.Command, []byte) ([]byte, error) {
			locked := false
			return func(command apdu.Command, answer []byte) ([]byte, error) {
				if command.CLA == 0x80 && command.INS == 0x40 {
					locked, c.State = true, cardtest.Keyed
				}
				if locked && command.CLA == 0x80 && command.INS == 0x01 {
					answer[3] = byte(card.Locked)
				}
				return answer, nil
			}
		},
		"a card that serves an old tap": func(c *testCard) func(apdu.Command, []byte) ([]byte, error) {
			return func(command apdu.Command, answer []byte) ([]byte, error) {
				if c.State == cardtest.Locked && command.INS == 0x40 {
					c.Soft.Counter--
				}
				return answer, nil
			}
		},
	} {
		w, c := newWorld(t), newCard("card")
		c.After = lie(c)
		_, err := w.personalise(t, c)
		require.ErrorIs(t, err, station.ErrFirstTap, name)
		_, states, err := w.history()
		require.NoError(t, err)
		known, _, err := states.Card(c.Soft.ID())
		require.NoError(t, err)
		assert.Empty(t, known.State, "%s: it is not in service", name)
	}
}

// TestNoURLOfTheStationIsEverValid: whatever was served while the card was made is used up by its beginning of service.
func TestNoURLOfTheStationIsEverValid(t *testing.T) {
	w, c := newWorld(t), newCard("card")
	s := &listener{testCard: c}
	report, err := w.station("acme").Personalise(t.Context(), s, order(t), quiet)
	require.NoError(t, err)
	_, states, err := w.history()
	require.NoError(t, err)
	known, _, err := states.Card(report.ID)
	require.NoError(t, err)
	require.Len(t, s.served, 2)
	assert.NoError(t, s.served[0].VerifyRehearsal(known.Key))
	assert.Error(t, s.served[0].Verify(known.Key), "a rehearsal is no tap")
	assert.NoError(t, s.served[1].Verify(known.Key), "the locked card was read as a phone reads it")
	assert.Equal(t, known.Last, s.served[1].Counter, "that tap is the newest that is used up")
	assert.Equal(t, known.Last, report.Counter)
}

// listener notes the URLs that a card serves through it.
type listener struct {
	*testCard
	served []tap.URL
}

func (l *listener) Transmit(command []byte) ([]byte, error) {
	answer, err := l.testCard.Transmit(command)
	if uri, bad := ndef.ParseURI(answer[:max(0, len(answer)-2)]); bad == nil {
		if u, bad := tap.Parse(uri); bad == nil {
			l.served = append(l.served, u)
		}
	}
	return answer, err
}

// TestUnlockedCardIsRehearsedWhateverTheLedgerSays: a state on the ledger says nothing about what is on the card.
func TestUnlockedCardIsRehearsedWhateverTheLedgerSays(t *testing.T) {
	w, c := newWorld(t), newCard("card")
	o := order(t)
	o.Lock = false
	_, err := w.station("acme").Personalise(t.Context(), c, o, quiet)
	require.NoError(t, err)
	body, err := record.CardInService{Last: c.Soft.Counter, State: record.StateInService}.Encode()
	require.NoError(t, err)
	acme := w.station("acme")
	taps, err := acme.Authors.Taps(acme.Issuer.Author().Channel(), c.Soft.ID())
	require.NoError(t, err)
	message, err := taps.Sign(channel.Draft{Time: w.clock(), Body: body})
	require.NoError(t, err)
	_, err = w.Memory.Submit(t.Context(), message)
	require.NoError(t, err)
	c.After = func(command apdu.Command, answer []byte) ([]byte, error) {
		if len(answer) > 100 {
			answer[len(answer)-10] ^= 1 // a signature that no phone would accept
		}
		return answer, nil
	}
	_, err = w.personalise(t, c)
	require.Error(t, err)
	assert.Equal(t, cardtest.Keyed, c.State)
	c.After = nil
	s := &listener{testCard: c}
	_, err = w.station("acme").Personalise(t.Context(), s, order(t), quiet)
	require.NoError(t, err)
	assert.Equal(t, cardtest.Locked, c.State)
	require.Len(t, s.served, 1, "the rehearsal, and no tap that would stay good")
	assert.NoError(t, s.served[0].VerifyRehearsal(c.Soft.Key()))
}

func TestCardNearTheEndOfItsCounterIsRefused(t *testing.T) {
	for _, row := range []struct {
		name      string
		max, used uint32
		state     cardtest.State
	}{
		{"of a handful of taps", 2, 0, cardtest.Installed},
		{"run down", 400_000, 399_500, cardtest.Keyed},
		{"without a counter", 400_000, 0xFFFFFFFF, cardtest.Keyed},
	} {
		w, c := newWorld(t), newCard("card")
		c.CounterMax, c.Soft.Counter, c.State = row.max, row.used, row.state
		_, err := w.personalise(t, c)
		require.ErrorIs(t, err, station.ErrFewTaps, row.name)
		assert.Equal(t, row.state, c.State, "%s: nothing was done to it", row.name)
		assert.Equal(t, row.used, c.Soft.Counter, row.name)
	}
	w, c := newWorld(t), newCard("card")
	o := order(t)
	o.Confirm = func(what station.Irreversible, _ tap.CardID) error {
		if what == station.Locks {
			c.Soft.Counter = c.CounterMax - 3 // somebody taps it while the person thinks
		}
		return nil
	}
	_, err := w.station("acme").Personalise(t.Context(), c, o, quiet)
	require.ErrorIs(t, err, station.ErrFewTaps)
	assert.Equal(t, cardtest.Keyed, c.State)
}
