package office_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap/taptest"
)

// mark is what a page would show as markup, in an element, an attribute or a script, if it forgot what a text is.
const mark = `'"></script></title><zq onx=1>&`

// TestNoStoredTextIsMarkup puts the mark wherever a hostile issuer, customer, colleague or browser can leave a text, and looks at every page.
func TestNoStoredTextIsMarkup(t *testing.T) {
	w := newWorld(t)
	card := w.cardWith(w.bell, "marked", func(r *record.CardRegistered) { r.Lot, r.Serial, r.Station, r.Operator = mark, mark, mark, mark })
	w.bell.cards = []*taptest.Card{card, card, card}
	w.tap(card, w.bell, 2, fmt.Sprintf(`{%q:%q}`, mark, mark), nil)
	require.NoError(t, w.registry.Sync(t.Context()))
	ctx, id := t.Context(), card.ID()
	_, err := w.settings.Put(ctx, id, record.Settings{ProductURL: "https://shop.example/?a='%3E%3Czq", Form: record.Form{{Name: "a", Label: record.Label{"en": mark}, Type: record.FieldChoice, Options: []string{mark}}}})
	require.NoError(t, err)
	_, err = w.lifecycle.Associate(ctx, id, mark, mark)
	require.NoError(t, err)
	p, err := w.products.Put(ctx, product.Product{Issuer: w.bell.id, Name: mark, Text: map[string]string{"en": mark, "it": mark}})
	require.NoError(t, err)
	require.NoError(t, w.products.Assign(ctx, w.bell.id, id, p.ID))
	require.NoError(t, w.products.PutFace(ctx, product.Face{Issuer: w.bell.id, Name: mark}))
	ada := w.person(mark, map[channel.ID]identity.Role{w.bell.id: identity.Owner, w.rival.id: identity.Owner})
	_, err = w.people.Invite(ctx, w.bell.id, identity.Operator, mark, time.Hour)
	require.NoError(t, err)
	_, _, err = w.people.CreateKey(ctx, identity.KeyOrder{Issuer: w.bell.id, Name: mark, Scopes: identity.Scopes(), By: mark})
	require.NoError(t, err)
	_, _, err = w.notices.AddEndpoint(ctx, w.bell.id, "https://shop.example/'%3E%3Czq", []string{"alarm.raised"})
	require.NoError(t, err)
	_, err = w.alarms.Report(ctx, alarm.Report{Issuer: w.bell.id, Card: &id, Code: "<zq>", Text: mark, Contact: mark})
	require.NoError(t, err)
	_, err = w.alarms.Report(ctx, alarm.Report{Text: mark, Contact: mark})
	require.NoError(t, err)
	c, err := w.registry.Card(ctx, id)
	require.NoError(t, err)
	for n, at := range []alarm.Place{{Latitude: 45, Longitude: 9, Name: mark}, {Latitude: -45, Longitude: 99, Name: mark}} {
		require.NoError(t, w.alarms.Observe(ctx, alarm.Observation{Card: c, Verdict: alarm.Verdict{Code: "recorded", Counter: uint32(2 + n)}, Network: mark, Time: w.clock(), Channel: "web", Place: &at}))
	}
	b := w.browser()
	b.sign(ada)
	pages := []string{"/office/account", "/office/signin?again=1&next=" + mark, "/office/setup/" + "%27%22%3E%3Czq%3E", w.in("/products/" + p.ID), w.in("/cards?q=%27%22%3E%3Czq%3E&state=%3Czq%3E")}
	for _, path := range w.shownPages() {
		pages = append(pages, w.in(path))
	}
	seen := 0
	for _, path := range pages {
		body := b.get(strings.ReplaceAll(path, mark, "/%27%22%3E%3Czq%3E")).Body.String()
		assert.NotContains(t, body, "<zq", path)
		assert.NotContains(t, body, "</script></title>", path)
		assert.NotContains(t, body, mark[:2], "%s: quotes that would end an attribute", path)
		seen += strings.Count(body, "&lt;zq")
	}
	assert.Greater(t, seen, 30, "the mark stands on the pages")
}
