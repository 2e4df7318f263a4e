package office_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
)

// populate gives bell a month of business: cards with taps, products, alarms, reports, people and keys.
func (w *world) populate() {
	t := w.t
	for _, name := range []string{"oil", "wine", "cheese", "vinegar", "honey"} {
		w.bell.cards = append(w.bell.cards, w.card(w.bell, name))
	}
	first := w.bell.cards[0]
	w.tap(first, w.bell, 2, "", nil)
	w.tap(first, w.bell, 3, `{"name":"Luca","rating":5,"again":true}`, nil)
	w.tap(first, w.bell, 9, "", &record.Range{4, 8})
	require.NoError(t, w.registry.Sync(t.Context()))
	_, err := w.settings.Put(t.Context(), first.ID(), record.Settings{ProductURL: "https://shop.example/oil", LoginRequired: true})
	require.NoError(t, err)
	_, err = w.lifecycle.Associate(t.Context(), first.ID(), "till-4", "")
	require.NoError(t, err)
	_, err = w.lifecycle.Revoke(t.Context(), w.bell.cards[2].ID(), "stolen: with a whole pallet", "")
	require.NoError(t, err)
	w.populateProducts()
	w.populateChecks()
	w.person("Olga Conti", map[channel.ID]identity.Role{w.bell.id: identity.Operator})
	w.person("Aldo Rossi", map[channel.ID]identity.Role{w.bell.id: identity.Auditor})
	_, err = w.people.Invite(t.Context(), w.bell.id, identity.Operator, "Berta Neri", 3*24*time.Hour)
	require.NoError(t, err)
	_, _, err = w.people.CreateKey(t.Context(), identity.KeyOrder{Issuer: w.bell.id, Name: "web shop", Scopes: []identity.Scope{identity.ReadCards, identity.RecordTaps},
		Expires: w.clock().AddDate(1, 0, 0)})
	require.NoError(t, err)
	_, _, err = w.notices.AddEndpoint(t.Context(), w.bell.id, "https://shop.example/hooks/productid", []string{"alarm.raised", "tap.recorded"})
	require.NoError(t, err)
	require.NoError(t, w.registry.Sync(t.Context()))
}

func (w *world) populateProducts() {
	i := image.NewNRGBA(image.Rect(0, 0, 240, 240))
	for y := range 240 {
		for x := range 240 {
			i.SetNRGBA(x, y, color.NRGBA{uint8(120 + x/4), uint8(140 + y/4), 60, 255})
		}
	}
	var b bytes.Buffer
	require.NoError(w.t, png.Encode(&b, i))
	picture, err := w.products.AddImage(w.t.Context(), b.Bytes())
	require.NoError(w.t, err)
	_, err = w.products.Put(w.t.Context(), product.Product{Issuer: w.bell.id, Name: "Extra virgin olive oil", GTIN: "09506000134352", Picture: &picture,
		Text: map[string]string{"en": "Cold pressed within six hours.", "it": "Spremuto a freddo entro sei ore."}, URL: "https://shop.example/oil"})
	require.NoError(w.t, err)
	_, err = w.products.Put(w.t.Context(), product.Product{Issuer: w.bell.id, Name: "Balsamic vinegar"})
	require.NoError(w.t, err)
	require.NoError(w.t, w.products.PutFace(w.t.Context(), product.Face{Issuer: w.bell.id, Name: "Frantoio Bell", Website: "https://shop.example",
		Support: "help@shop.example", Logo: &picture, Hosts: []string{"shop.example"}}))
}

// populateChecks lets people check for a month, and raises alarms by what is strange.
func (w *world) populateChecks() {
	random := rand.New(rand.NewPCG(7, 7))
	observe := func(card int, at time.Time, v alarm.Verdict, network string, place *alarm.Place) {
		c, err := w.registry.Card(w.t.Context(), w.bell.cards[card].ID())
		require.NoError(w.t, err)
		require.NoError(w.t, w.alarms.Observe(w.t.Context(), alarm.Observation{Card: c, Verdict: v, Network: network, Time: at, Channel: "web", Place: place}))
	}
	codes := []string{"recorded", "recorded", "recorded", "recorded", "valid", "already_used", "superseded", "bad_signature", "unsigned_url"}
	for day := 29; day >= 0; day-- {
		for n := range 3 + random.IntN(9) {
			at := w.clock().AddDate(0, 0, -day).Add(-time.Duration(n) * 37 * time.Minute)
			observe(1+random.IntN(5), at, alarm.Verdict{Code: codes[random.IntN(len(codes))], Counter: uint32(100*(30-day) + n)}, "192.0.2.0/24", nil)
		}
	}
	now := w.clock()
	observe(0, now.Add(-3*time.Hour), alarm.Verdict{Code: "recorded", Counter: 40, Skipped: &record.Range{10, 39}}, "192.0.2.0/24", &alarm.Place{Latitude: 45.46, Longitude: 9.19, Name: "Milano"})
	observe(0, now.Add(-2*time.Hour), alarm.Verdict{Code: "recorded", Counter: 41}, "198.51.100.0/24", &alarm.Place{Latitude: 35.68, Longitude: 139.69, Name: "Tokyo"})
	observe(0, now.Add(-time.Hour), alarm.Verdict{Code: "already_used", Counter: 41}, "203.0.113.0/24", nil)
	id := w.bell.cards[2].ID()
	for _, r := range []alarm.Report{{Issuer: w.bell.id, Card: &id, Code: "revoked", Text: "Bought at a market stall.\nThe seller had twenty more.", Contact: "luca@example.org"},
		{Code: "unknown_card", Text: "Looks like your bottle."}} {
		_, err := w.alarms.Report(w.t.Context(), r)
		require.NoError(w.t, err)
	}
}
