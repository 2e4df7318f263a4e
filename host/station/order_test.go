package station_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/station"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

func TestAnotherTemplateIsRewrittenBeforeTheRegistration(t *testing.T) {
	w, card := newWorld(t), keyed(t, "https://wrong.example.com/t")
	_, err := w.personalise(t, card)
	require.NoError(t, err)
	w.holds(t, card)
}

func TestAnotherTemplateIsRefusedAfterTheRegistration(t *testing.T) {
	for _, locked := range []bool{false, true} {
		w, card := newWorld(t), newCard("card")
		o := order(t)
		o.Lock = locked
		_, err := w.station("acme").Personalise(t.Context(), card, o, quiet)
		require.NoError(t, err)
		o.Template, err = tap.PlainTemplate("https://other.example.com/t")
		require.NoError(t, err)
		_, err = w.station("acme").Personalise(t.Context(), card, o, quiet)
		assert.ErrorIs(t, err, station.ErrOtherTemplate)
	}
}

func TestAnotherThingIsRefusedAfterTheRegistration(t *testing.T) {
	for name, change := range map[string]func(*station.Order){
		"subject": func(o *station.Order) { o.Subject = record.SubjectActuator },
		"gtin":    func(o *station.Order) { o.GTIN = "09521234543213" },
		"no gtin": func(o *station.Order) { o.GTIN = "" },
		"lot":     func(o *station.Order) { o.Lot = "B" },
		"serial":  func(o *station.Order) { o.Serial = "2" },
	} {
		w, card := newWorld(t), newCard("card")
		first := order(t)
		first.GTIN, first.Lot, first.Serial, first.Lock = "09520123456788", "A", "1", false
		_, err := w.station("acme").Personalise(t.Context(), card, first, quiet)
		require.NoError(t, err)
		other := first
		other.Lock = true
		change(&other)
		_, err = w.station("acme").Personalise(t.Context(), card, other, quiet)
		require.ErrorIs(t, err, station.ErrOtherOrder, name)
		assert.ErrorContains(t, err, "the ledger says product, gtin 09520123456788, lot A, serial 1", name)
		assert.Equal(t, cardtest.Keyed, card.State, name)
		_, err = w.station("acme").Plan(t.Context(), card, other)
		require.ErrorIs(t, err, station.ErrOtherOrder, name)

		finish, issuer, err := w.station("acme").Registered(t.Context(), card)
		require.NoError(t, err)
		assert.Equal(t, w.station("acme").Issuer.Author().Channel(), issuer)
		finish.Confirm = first.Confirm
		_, err = w.station("acme").Personalise(t.Context(), card, finish, quiet)
		require.NoError(t, err)
		w.holds(t, card)
	}
}

func TestOrderThatCannotBeRightTouchesNothing(t *testing.T) {
	card := newCard("card")
	o := order(t)
	o.Template.Prefix = "http://tap.example.com/t?i="
	_, err := newWorld(t).station("acme").Personalise(t.Context(), card, o, quiet)
	assert.ErrorIs(t, err, tap.ErrMalformed)
	assert.Zero(t, card.commands)
	for name, spoil := range map[string]func(*station.Order){
		"subject": func(o *station.Order) { o.Subject = "spaceship" },
		"lot":     func(o *station.Order) { o.Lot = strings.Repeat("A", 10_000) },
		"serial":  func(o *station.Order) { o.Serial = "\xff" },
		"gtin":    func(o *station.Order) { o.GTIN = "09520123456789" },
		"its 13":  func(o *station.Order) { o.GTIN = "9520123456788" },
	} {
		o = order(t)
		spoil(&o)
		_, err = newWorld(t).station("acme").Personalise(t.Context(), card, o, quiet)
		assert.ErrorIs(t, err, record.ErrMalformed, name)
		assert.Zero(t, card.commands, name)
	}
	for name, spoil := range map[string]func(*station.Station){
		"no issuer":       func(s *station.Station) { s.Issuer.Name = "" },
		"an issuer's url": func(s *station.Station) { s.Issuer.URL = "https://" + strings.Repeat("a", channel.MaxBody) },
	} {
		s := newWorld(t).station("acme")
		spoil(s)
		_, err = s.Personalise(t.Context(), card, order(t), quiet)
		assert.ErrorIs(t, err, record.ErrMalformed, name)
		assert.Zero(t, card.commands, name)
	}
	for n := 6500; n < channel.MaxBody; n += 50 {
		w, card := newWorld(t), newCard("card")
		o = order(t)
		o.Lot = strings.Repeat("A", n)
		if _, err = w.station("acme").Personalise(t.Context(), card, o, quiet); err == nil {
			w.holds(t, card)
			continue
		}
		assert.ErrorIs(t, err, record.ErrMalformed, "a lot of %d", n)
		assert.Zero(t, card.commands, "a lot of %d", n)
	}
	o = order(t)
	o.Algorithm, card.Lacks = tap.RSA2048, []tap.Algorithm{tap.RSA2048}
	_, err = newWorld(t).station("acme").Personalise(t.Context(), card, o, quiet)
	assert.ErrorIs(t, err, station.ErrOtherAlgorithm)
	assert.Equal(t, cardtest.Installed, card.State)
}

// TestAnOldRegistrationIsFinishedWhateverItsGTIN: what the ledger says stands for good, also a number that is written so no more.
func TestAnOldRegistrationIsFinishedWhateverItsGTIN(t *testing.T) {
	for old, again := range map[string]string{"9520123456788": "09520123456788", "09520123456789": ""} {
		card, elsewhere := newCard("card"), newWorld(t)
		o := order(t)
		o.GTIN, o.Lock = "09520123456788", false
		_, err := elsewhere.station("acme").Personalise(t.Context(), card, o, quiet)
		require.NoError(t, err)
		entries, _, err := elsewhere.history()
		require.NoError(t, err)
		w, issuer, draft := newWorld(t), elsewhere.station("acme").Issuer.Author(), channel.Draft{}
		require.NoError(t, w.Memory.List(t.Context(), issuer.Channel()))
		for _, e := range entries {
			body, err := e.Message.Body()
			require.NoError(t, err)
			draft.Time, draft.Body = w.clock(), bytes.Replace(body, []byte(o.GTIN), []byte(old), 1)
			m, err := issuer.Sign(draft)
			require.NoError(t, err)
			_, err = w.Memory.Submit(t.Context(), m)
			require.NoError(t, err)
			draft.Number, draft.Prev = draft.Number+1, m.Hash()
		}

		finish, _, err := w.station("acme").Registered(t.Context(), card)
		require.NoError(t, err)
		assert.Equal(t, old, finish.GTIN)
		if again != "" { // the same article, as it is written today
			finish = o
			finish.GTIN, finish.Lock = again, true
		}
		finish.Confirm = o.Confirm
		_, err = w.station("acme").Personalise(t.Context(), card, finish, quiet)
		require.NoError(t, err, old)
		w.holds(t, card)
	}
}
