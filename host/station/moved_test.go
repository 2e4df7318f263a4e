package station_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
)

func TestAnIssuerThatMovedGetsNoCardsHere(t *testing.T) {
	w := newWorld(t)
	_, err := w.personalise(t, newCard("first"))
	require.NoError(t, err)
	issuer := w.station("acme").Issuer.Author()
	head, err := w.Memory.Head(t.Context(), issuer.Channel())
	require.NoError(t, err)
	body, err := record.IssuerMoved{To: "log.example.org"}.Encode()
	require.NoError(t, err)
	m, err := issuer.Sign(channel.Draft{Number: head.Message.Number() + 1, Prev: head.Message.Hash(), Time: head.Time, Body: body})
	require.NoError(t, err)
	_, err = ledger.Record(t.Context(), w.Memory, m)
	require.NoError(t, err)
	card := newCard("second")
	_, err = w.personalise(t, card)
	require.ErrorIs(t, err, registry.ErrMoved)
	entries, _, err := w.history()
	require.NoError(t, err)
	assert.Len(t, entries, 4, "nothing behind the issuer's end")
}
