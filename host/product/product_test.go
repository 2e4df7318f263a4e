package product_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"image"
	"image/color"
	"image/png"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/gs1"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

var (
	acme  = channel.ID{1}
	rival = channel.ID{2}
	begin = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
)

// world is an open store with a clock that the test moves.
type world struct {
	*product.Products
	name  string
	now   time.Time
	found []product.Tampered
}

// onBoth runs a test on each engine.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("SQLite", func(t *testing.T) { test(t, open(t, filepath.Join(t.TempDir(), "product.db"))) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, open(t, storetest.Postgres(t))) })
}

func open(t *testing.T, name string) *world {
	t.Helper()
	w := &world{name: name, now: begin}
	var err error
	w.Products, err = product.Open(t.Context(), name, product.Options{
		Master: channel.Seed{7}, Now: func() time.Time { return w.now }, Random: rand.Reader,
		Report: func(found product.Tampered) { w.found = append(w.found, found) },
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, w.Close()) })
	return w
}

// drawn is a PNG with a colour of its own for each seed.
func drawn(t *testing.T, w, h int, seed byte) []byte {
	t.Helper()
	i := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			i.SetNRGBA(x, y, color.NRGBA{seed, byte(x), byte(y), 255})
		}
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, i))
	return b.Bytes()
}

func TestFaceIsKeptAsItWasPut(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		empty, err := w.Face(t.Context(), acme)
		require.NoError(t, err)
		assert.Equal(t, product.Face{Issuer: acme}, empty)

		logo, err := w.AddImage(t.Context(), drawn(t, 40, 20, 7))
		require.NoError(t, err)
		face := product.Face{Issuer: acme, Name: "Acme Olive Oil", Website: "https://acme.example", Support: "help@acme.example",
			Logo: &logo, Continue: true, Hosts: []string{"shop.acme.example"}}
		require.NoError(t, w.PutFace(t.Context(), face))
		got, err := w.Face(t.Context(), acme)
		require.NoError(t, err)
		assert.Equal(t, face, got)

		face.Logo, face.Continue, face.Hosts = nil, false, nil
		require.NoError(t, w.PutFace(t.Context(), face))
		got, err = w.Face(t.Context(), acme)
		require.NoError(t, err)
		assert.Equal(t, face, got)
	})
}

func TestProductsBelongToTheirIssuer(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		picture, err := w.AddImage(t.Context(), drawn(t, 30, 30, 1))
		require.NoError(t, err)
		oil, err := w.Put(t.Context(), product.Product{Issuer: acme, GTIN: "9506000134352", Name: "Olio", Picture: &picture,
			Text: map[string]string{"en": "Cold pressed.\nKeep dark.", "it": "Spremuto a freddo."}, URL: "https://shop.acme.example/oil?a=1"})
		require.NoError(t, err)
		assert.NotEmpty(t, oil.ID)
		assert.Equal(t, "09506000134352", oil.GTIN, "one form for the 13 and the 14 digits")

		got, err := w.Product(t.Context(), acme, oil.ID)
		require.NoError(t, err)
		assert.Equal(t, oil, got)
		_, err = w.Product(t.Context(), rival, oil.ID)
		require.ErrorIs(t, err, product.ErrUnknown)
		_, err = w.Put(t.Context(), product.Product{ID: oil.ID, Issuer: rival, Name: "stolen"})
		require.ErrorIs(t, err, product.ErrUnknown, "another issuer's product cannot be replaced")
		require.ErrorIs(t, w.Delete(t.Context(), rival, oil.ID), product.ErrUnknown)

		_, err = w.Put(t.Context(), product.Product{Issuer: acme, GTIN: "09506000134352", Name: "Another"})
		require.ErrorIs(t, err, product.ErrTaken)
		_, err = w.Put(t.Context(), product.Product{Issuer: rival, GTIN: "09506000134352", Name: "Theirs"})
		require.NoError(t, err, "GTINs are each issuer's own affair")
		both, err := w.ByGTIN(t.Context(), "09506000134352")
		require.NoError(t, err)
		require.Len(t, both, 2)
		assert.ElementsMatch(t, []string{"Olio", "Theirs"}, []string{both[0].Name, both[1].Name})
		for _, none := range []gs1.GTIN{"", "09520123456788", "9506000134352"} {
			found, err := w.ByGTIN(t.Context(), none)
			require.NoError(t, err)
			assert.Empty(t, found, none)
		}

		oil.Name, oil.Picture = "Olio nuovo", nil
		_, err = w.Put(t.Context(), oil)
		require.NoError(t, err)
		list, err := w.Products.Products(t.Context(), acme)
		require.NoError(t, err)
		assert.Equal(t, []product.Product{oil}, list)
	})
}

func TestACardIsFixedToWhatItWasAssignedElseToItsGTIN(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		put := func(issuer channel.ID, gtin, name string) product.Product {
			p, err := w.Put(t.Context(), product.Product{Issuer: issuer, GTIN: gtin, Name: name})
			require.NoError(t, err)
			return p
		}
		byGTIN, assigned, foreign := put(acme, "9506000134352", "by GTIN"), put(acme, "", "assigned"), put(rival, "", "foreign")
		card := record.Card{ID: tap.CardID{9}, Issuer: acme, GTIN: "09506000134352"}
		of := func(card record.Card) string {
			p, ok, err := w.Of(t.Context(), card)
			require.NoError(t, err)
			assert.Equal(t, ok, p.ID != "")
			return p.Name
		}
		assert.Equal(t, byGTIN.Name, of(card))
		assert.Empty(t, of(record.Card{ID: tap.CardID{8}, Issuer: acme}), "no GTIN is no product's GTIN")
		require.NoError(t, w.Assign(t.Context(), acme, card.ID, assigned.ID))
		assert.Equal(t, assigned.Name, of(card))
		require.ErrorIs(t, w.Assign(t.Context(), acme, card.ID, foreign.ID), product.ErrUnknown)
		assert.Equal(t, assigned.Name, of(card))
		id, err := w.Assigned(t.Context(), acme, card.ID)
		require.NoError(t, err)
		assert.Equal(t, assigned.ID, id)

		require.NoError(t, w.Delete(t.Context(), acme, assigned.ID))
		assert.Equal(t, byGTIN.Name, of(card), "a product that is gone is no card's")
		require.NoError(t, w.Assign(t.Context(), acme, card.ID, byGTIN.ID))
		require.NoError(t, w.Assign(t.Context(), acme, card.ID, ""))
		id, err = w.Assigned(t.Context(), acme, card.ID)
		require.NoError(t, err)
		assert.Empty(t, id)
	})
}

func TestPicturesThatNobodyShowsAreRemoved(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		add := func(seed byte) product.Image {
			i, err := w.AddImage(t.Context(), drawn(t, 10, 10, seed))
			require.NoError(t, err)
			return i
		}
		logo, picture, orphan := add(1), add(2), add(3)
		require.NoError(t, w.PutFace(t.Context(), product.Face{Issuer: acme, Logo: &logo}))
		_, err := w.Put(t.Context(), product.Product{Issuer: acme, Name: "Oil", Picture: &picture})
		require.NoError(t, err)
		has := func(i product.Image) bool {
			content, kind, err := w.Image(t.Context(), i.Hash)
			if errors.Is(err, product.ErrUnknownImage) {
				return false
			}
			require.NoError(t, err)
			assert.Equal(t, i.Type, kind)
			assert.NotEmpty(t, content)
			return true
		}
		assert.True(t, has(orphan), "it has an hour to be named")
		w.now = w.now.Add(time.Hour + time.Minute)
		again := add(4)
		require.NoError(t, w.PutFace(t.Context(), product.Face{Issuer: acme, Name: "Acme", Logo: &logo}))
		assert.Equal(t, []bool{true, true, false, true}, []bool{has(logo), has(picture), has(orphan), has(again)})
		err = w.PutFace(t.Context(), product.Face{Issuer: acme, Logo: &orphan})
		require.ErrorIs(t, err, product.ErrUnknownImage)
	})
}

func TestWhatCannotBeShownIsRefused(t *testing.T) {
	w := open(t, filepath.Join(t.TempDir(), "product.db"))
	long := strings.Repeat("ä", product.MaxName+1)
	for _, row := range []struct {
		put   product.Product
		field string
		why   product.Reason
	}{
		{product.Product{}, "name", product.Missing},
		{product.Product{Name: long}, "name", product.TooLong},
		{product.Product{Name: "a\x00b"}, "name", product.BadText},
		{product.Product{Name: "a\nb"}, "name", product.BadText},
		{product.Product{Name: "a\u202eb"}, "name", product.BadText},
		{product.Product{Name: "a\xffb"}, "name", product.BadText},
		{product.Product{Name: "a", Text: map[string]string{"english!": ""}}, "text", product.BadLang},
		{product.Product{Name: "a", Text: map[string]string{"en": strings.Repeat("x", product.MaxText+1)}}, "text", product.TooLong},
		{product.Product{Name: "a", GTIN: "９506000134352"}, "gtin", product.BadGTIN},
		{product.Product{Name: "a", GTIN: "950600013435x"}, "gtin", product.BadGTIN},
		{product.Product{Name: "a", GTIN: "95060001343"}, "gtin", product.BadGTIN},
		{product.Product{Name: "a", URL: "http://localhost/"}, "url", product.BadURL},
	} {
		row.put.Issuer = acme
		_, err := w.Put(t.Context(), row.put)
		invalid, ok := errors.AsType[*product.Invalid](err)
		require.True(t, ok, "%+v: %v", row.put, err)
		assert.Equal(t, product.Invalid{Field: row.field, Reason: row.why}, *invalid)
	}
	_, err := w.Put(t.Context(), product.Product{Issuer: acme, Name: "a", GTIN: "9506000134353"})
	invalid, _ := errors.AsType[*product.Invalid](err)
	assert.Equal(t, &product.Invalid{Field: "gtin", Reason: product.BadDigit, Should: "2"}, invalid)
	for _, row := range []struct {
		face  product.Face
		field string
		why   product.Reason
	}{
		{product.Face{Name: long}, "name", product.TooLong},
		{product.Face{Website: "https:acme"}, "website", product.BadURL},
		{product.Face{Support: "javascript:alert(1)"}, "support", product.BadReach},
		{product.Face{Hosts: []string{"acme.example/x"}}, "hosts", product.BadHost},
		{product.Face{Hosts: make([]string, product.MaxHosts+1)}, "hosts", product.TooMany},
	} {
		err := w.PutFace(t.Context(), row.face)
		invalid, ok := errors.AsType[*product.Invalid](err)
		require.True(t, ok, "%+v: %v", row.face, err)
		assert.Equal(t, product.Invalid{Field: row.field, Reason: row.why}, *invalid)
	}
}

func TestOnlyAbsoluteHTTPSAddressesAreLinks(t *testing.T) {
	for address, local := range map[string][2]bool{ // without and with local addresses
		"https://acme.example":                     {true, true},
		"https://acme.example:8443/a?b=c#d":        {true, true},
		"https://xn--caff-8oa.example/":            {true, true},
		"https://[2001:db8::1]/":                   {true, true},
		"http://acme.example":                      {false, false},
		"http://localhost:8080/x":                  {false, true},
		"http://127.0.0.1/":                        {false, true},
		"http://localhost.evil.example/":           {false, false},
		"//acme.example/":                          {false, false},
		"/relative":                                {false, false},
		"javascript:alert(1)":                      {false, false},
		"https:/acme.example":                      {false, false},
		"https://user:pw@acme.example":             {false, false},
		"https://acme.example\\@evil.example":      {false, false},
		"https://acme .example":                    {false, false},
		"https://acme.example/\r\nLocation: x":     {false, false},
		"https://acme.example/" + fill(2000):       {false, false},
		"https://":                                 {false, false},
		"https://caffè.example/":                   {false, false}, // as its xn-- form, that people can compare
		"data:text/html,<script>alert(1)</script>": {false, false},
	} {
		assert.Equal(t, local, [2]bool{product.CheckURL(address, false) == nil, product.CheckURL(address, true) == nil}, address)
	}
}

func fill(n int) string { return strings.Repeat("x", n) }

func TestReachIsALinkThatDoesWhatItSays(t *testing.T) {
	for text, link := range map[string]string{
		"https://acme.example/help":    "https://acme.example/help",
		"help@acme.example":            "mailto:help@acme.example",
		"a?b@acme.example":             "mailto:a%3Fb@acme.example",
		"+39 02 1234-567":              "tel:+39021234567",
		"Help <help@acme.example>":     "",
		"javascript:alert(1)":          "",
		"+39 02; phone-context=evil":   "",
		"help@acme.example?bcc=x@y.zz": "",
	} {
		assert.Equal(t, link, product.Reach(text), text)
	}
}

func TestFaceSaysWhereProductPagesMayBe(t *testing.T) {
	anywhere, somewhere := product.Face{}, product.Face{Hosts: []string{"shop.acme.example", "localhost:8080"}}
	assert.True(t, anywhere.Allows("https://acme.example/"))
	for address, allowed := range map[string]bool{
		"https://shop.acme.example/a":         true,
		"https://SHOP.acme.example/a":         true,
		"http://localhost:8080/":              true,
		"https://shop.acme.example:444/":      false,
		"https://acme.example/":               false,
		"https://shop.acme.example.evil.com/": false,
		"https://%zz/":                        false,
	} {
		assert.Equal(t, allowed, somewhere.Allows(address), address)
	}
}

func TestAnIssuerHasABoundedNumberOfProducts(t *testing.T) {
	if testing.Short() {
		t.Skip("writes thousands of rows")
	}
	w := open(t, filepath.Join(t.TempDir(), "product.db"))
	require.NoError(t, w.Fill(t.Context(), acme, product.MaxProducts))
	_, err := w.Put(t.Context(), product.Product{Issuer: acme, Name: "one more"})
	require.ErrorIs(t, err, product.ErrTooMany)
}
