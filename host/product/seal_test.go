package product_test

import (
	"database/sql"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/product"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// alterations are of each column of each table, with the table of which is told; "" where there is nothing to tell.
var alterations = []struct{ statement, table string }{
	{"UPDATE faces SET name = 'Rival'", "faces"},
	{"UPDATE faces SET website = 'https://evil.example'", "faces"},
	{"UPDATE faces SET support = '+390000'", "faces"},
	{"UPDATE faces SET logo = NULL", "faces"},
	{"UPDATE faces SET go_on = 1 - go_on", "faces"},
	{"UPDATE faces SET hosts = '[]'", "faces"},
	{"UPDATE faces SET mac = NULL", "faces"},
	{"UPDATE faces SET mac = (SELECT mac FROM products)", "faces"},
	{"UPDATE products SET name = 'Another'", "products"},
	{"UPDATE products SET gtin = '00000000000017'", "products"},
	{"UPDATE products SET texts = '{}'", "products"},
	{"UPDATE products SET picture = NULL", "products"},
	{"UPDATE products SET url = 'https://evil.example'", "products"},
	{"UPDATE products SET id = 'x'", "products"},
	{"UPDATE products SET issuer = x'00'", "products"},
	{"UPDATE assignments SET product = 'x'", "assignments"},
	{"UPDATE assignments SET card = zeroblob(12)", "assignments"},
	{"UPDATE images SET type = 'text/html'", "images"},
	{"UPDATE images SET width = 9000", "images"},
	{"UPDATE images SET bytes = x'00'", ""},
}

// TestWhatSomebodyWroteIntoTheFileIsNotShown changes each column of each table by other means.
func TestWhatSomebodyWroteIntoTheFileIsNotShown(t *testing.T) {
	for _, c := range alterations {
		w := open(t, filepath.Join(t.TempDir(), "product.db"))
		picture, err := w.AddImage(t.Context(), drawn(t, 30, 30, 1))
		require.NoError(t, err)
		face := product.Face{Issuer: acme, Name: "Acme", Website: "https://acme.example", Support: "help@acme.example", Logo: &picture, Hosts: []string{"acme.example"}}
		require.NoError(t, w.PutFace(t.Context(), face))
		oil, err := w.Put(t.Context(), product.Product{Issuer: acme, GTIN: "9506000134352", Name: "Oil", Picture: &picture, URL: "https://acme.example/oil",
			Text: map[string]string{"en": "Keep dark."}})
		require.NoError(t, err)
		card := record.Card{ID: tap.CardID{9}, Issuer: acme}
		require.NoError(t, w.Assign(t.Context(), acme, card.ID, oil.ID))
		w.alter(t, c.statement)

		for range 2 { // each row is told of once
			got, err := w.Face(t.Context(), acme)
			require.NoError(t, err, c.statement)
			of, known, err := w.Of(t.Context(), card)
			require.NoError(t, err, c.statement)
			list, err := w.Products.Products(t.Context(), acme)
			require.NoError(t, err, c.statement)
			_, _, noImage := w.Image(t.Context(), picture.Hash)
			switch c.table {
			case "faces":
				assert.Equal(t, product.Face{Issuer: acme}, got, c.statement)
			case "products":
				assert.False(t, known, c.statement)
				assert.Empty(t, list, c.statement)
			case "assignments":
				assert.False(t, known, c.statement)
				assert.Equal(t, []product.Product{oil}, list, c.statement)
			case "images":
				assert.Nil(t, got.Logo, c.statement)
				assert.Nil(t, of.Picture, c.statement)
				assert.ErrorIs(t, noImage, product.ErrUnknownImage, c.statement)
			default:
				assert.ErrorIs(t, noImage, product.ErrUnknownImage, c.statement)
			}
			if c.table != "products" && c.table != "images" && c.table != "assignments" {
				assert.Equal(t, oil, of, c.statement)
			}
		}
		for _, found := range w.found {
			assert.Equal(t, c.table, found.Table, c.statement)
			assert.Contains(t, found.String(), "not shown")
		}
		if hidden := c.statement == "UPDATE assignments SET card = zeroblob(12)" || c.statement == "UPDATE products SET issuer = x'00'" || c.table == ""; !hidden {
			assert.Len(t, w.found, 1, c.statement)
		}
	}
}

// alter has somebody else write into the file.
func (w *world) alter(t *testing.T, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", w.name) // the driver of host/store
	require.NoError(t, err)
	defer db.Close()
	done, err := db.Exec(statement)
	require.NoError(t, err, statement)
	n, err := done.RowsAffected()
	require.NoError(t, err)
	require.EqualValues(t, 1, n, statement)
}

func TestWhatIsPutAgainIsShownAgain(t *testing.T) {
	w := open(t, filepath.Join(t.TempDir(), "product.db"))
	put := product.Product{Issuer: acme, GTIN: "9506000134352", Name: "Oil"}
	oil, err := w.Put(t.Context(), put)
	require.NoError(t, err)
	require.NoError(t, w.PutFace(t.Context(), product.Face{Issuer: acme, Name: "Acme"}))
	w.alter(t, "UPDATE products SET name = 'Another'")
	w.alter(t, "UPDATE faces SET name = 'Rival'")
	require.NoError(t, w.PutFace(t.Context(), product.Face{Issuer: acme, Name: "Acme"}))
	face, err := w.Face(t.Context(), acme)
	require.NoError(t, err)
	assert.Equal(t, "Acme", face.Name)
	_, err = w.Put(t.Context(), oil)
	require.ErrorIs(t, err, product.ErrUnknown, "what is not shown is not changed")
	again, err := w.Put(t.Context(), put)
	require.NoError(t, err, "and keeps no GTIN")
	list, err := w.Products.Products(t.Context(), acme)
	require.NoError(t, err)
	assert.Equal(t, []product.Product{again}, list)

	_, err = product.Open(t.Context(), w.name, product.Options{})
	assert.ErrorContains(t, err, "no master secret")
}
