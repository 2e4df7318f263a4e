package page

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"image"
	"image/png"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/product"
	"github.com/productid/productid/pkg/channel"
)

// broken keeps pictures that cannot be read right now.
type broken struct{}

func (broken) Image(context.Context, product.Hash) ([]byte, string, error) {
	return nil, "", errors.New("disk on fire")
}

func TestPicturesAreServedByTheirHash(t *testing.T) {
	products, err := product.Open(t.Context(), filepath.Join(t.TempDir(), "product.db"), product.Options{Master: channel.Seed{1}, Now: time.Now, Random: rand.Reader})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, products.Close()) })
	var upload bytes.Buffer
	require.NoError(t, png.Encode(&upload, image.NewGray(image.Rect(0, 0, 40, 30))))
	picture, err := products.AddImage(t.Context(), upload.Bytes())
	require.NoError(t, err)

	answer := func(from Pictures, method, hash string) *httptest.ResponseRecorder {
		mux, w := http.NewServeMux(), httptest.NewRecorder()
		mux.Handle("/image/{hash}", Images(from, slog.New(slog.DiscardHandler)))
		mux.ServeHTTP(w, httptest.NewRequest(method, "/image/"+hash, nil))
		return w
	}
	w := answer(products, http.MethodGet, picture.Hash.String())
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, picture.Type, w.Header().Get("Content-Type"))
	assert.Equal(t, "public, max-age=31536000, immutable", w.Header().Get("Cache-Control"))
	_, _, err = image.Decode(w.Body)
	require.NoError(t, err)

	for _, hash := range []string{strings.Repeat("0", 64), "x", "%2e%2e", strings.ToUpper(picture.Hash.String())} {
		assert.Equal(t, http.StatusNotFound, answer(products, http.MethodGet, hash).Code, hash)
	}
	assert.Equal(t, http.StatusNotFound, answer(products, http.MethodPost, picture.Hash.String()).Code)
	w = answer(broken{}, http.MethodGet, picture.Hash.String())
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.NotContains(t, w.Body.String(), "fire")
	assert.Empty(t, w.Header().Get("Cache-Control"))

	view := &View{}
	assert.Equal(t, "/image/"+picture.Hash.String(), view.ImagePath(&picture))
	assert.Empty(t, view.ImagePath(nil))
}

func TestOnlyPathsOfThisSiteAreLedTo(t *testing.T) {
	for _, local := range []string{"/", "/t?i=1&c=2&s=3", "/office/cards?after=x#y", "/a//b"} {
		assert.Equal(t, local, LocalPath(local))
	}
	for _, foreign := range []string{"", "x", "//evil.example", `/\evil.example`, `\/evil.example`, "https://evil.example", "javascript:alert(1)",
		"/\t/evil.example", "/\n/evil.example", " /x", "/x\r\nSet-Cookie: a=b", "///evil.example", "/\x00"} {
		assert.Equal(t, "/", LocalPath(foreign), "%q", foreign)
	}
}
