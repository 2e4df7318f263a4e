package desk_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/gs1"
)

const article gs1.GTIN = "09506000134352" // of the cards of recordtest, whose serial number is 7

func TestArticleIsWhatIssuersShowOfIt(t *testing.T) {
	w := newWorld(t)
	_, err := w.Article(t.Context(), "09520123456788", "")
	require.ErrorIs(t, err, desk.ErrUnknownArticle)
	_, err = w.Article(t.Context(), article, "")
	require.ErrorIs(t, err, desk.ErrUnknownArticle, "cards alone show nothing of a number without a serial number")

	w.products[string(article)] = product.Product{Issuer: w.issuer, GTIN: string(article), Name: "Oil"}
	a, err := w.Article(t.Context(), article, "")
	require.NoError(t, err)
	require.Len(t, a.Offers, 1)
	assert.Nil(t, a.Card)
	assert.Equal(t, "Oil", a.Offers[0].Product.Name)
	assert.Equal(t, w.issuer, a.Offers[0].Issuer.Channel)
	assert.Equal(t, a.Offers[0].Issuer.Name, a.Offers[0].Face.Name)

	w.products["theirs"] = product.Product{Issuer: channel.ID{9}, GTIN: string(article), Name: "Theirs"}
	w.o.IsTest = func(_ context.Context, issuer channel.ID) bool { return issuer == w.issuer }
	a, err = desk.New(w.o).Article(t.Context(), article, "no such serial")
	require.NoError(t, err)
	require.Len(t, a.Offers, 2)
	assert.Equal(t, "Theirs", a.Offers[0].Product.Name, "the sandbox comes last")
	assert.True(t, a.Offers[1].Test)

	w.products[""] = product.Product{}
	_, err = w.Article(t.Context(), article, "")
	require.Error(t, err)
	assert.NotErrorIs(t, err, desk.ErrUnknownArticle, "not known and not to be found out are two things")
}

func TestArticleFindsTheCardOfASerialNumber(t *testing.T) {
	w := newWorld(t)
	id := w.card.ID().String()
	a, err := w.Article(t.Context(), article, id)
	require.NoError(t, err, "the card's id is a serial number")
	require.Len(t, a.Offers, 1)
	assert.Equal(t, w.card.ID(), a.Card.ID)
	assert.Nil(t, a.Offers[0].Product)
	_, err = w.Article(t.Context(), "09520123456788", id)
	assert.ErrorIs(t, err, desk.ErrUnknownArticle, "a card of something else")
	_, err = w.Article(t.Context(), article, "7")
	assert.ErrorIs(t, err, desk.ErrUnknownArticle, "whose would it be?")

	w.products[string(article)] = product.Product{Issuer: w.issuer, GTIN: string(article), Name: "Oil"}
	for serial, found := range map[string]bool{"7": true, "8": false, id: true, "AAAAAAAAAAAAAAAA": false} {
		a, err = w.Article(t.Context(), article, serial)
		require.NoError(t, err, serial)
		assert.Equal(t, "Oil", a.Offers[0].Product.Name)
		assert.Equal(t, found, a.Card != nil, serial)
	}
}
