package record_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
)

func TestSettingsAreReadAgain(t *testing.T) {
	for _, want := range []record.Settings{{}, {ProductURL: "https://shop.example.com/p/7?a=1&b=2", LoginRequired: true}} {
		got, err := record.ParseSettings(recordtest.Body(want))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	got, err := record.ParseSettings([]byte(`{"kind":"settings","of a later version":{"a":1}}`))
	require.NoError(t, err)
	assert.Zero(t, got)
}

func TestSettingsRefuse(t *testing.T) {
	for _, address := range []string{"http://shop.example.com/", "//shop.example.com/", "/p", "javascript:alert(1)", "https://", "https://u@shop.example.com/", "https://shop.example.com/%zz"} {
		_, err := record.Settings{ProductURL: address}.Encode()
		assert.ErrorIs(t, err, record.ErrMalformed, address)
	}
	for _, body := range []string{`{"kind":"settings","loginRequired":null}`, `{"kind":"settings","loginRequired":1}`, `{"kind":"tap"}`, `{"kind":"weather"}`, ``} {
		_, err := record.ParseSettings([]byte(body))
		assert.ErrorIs(t, err, record.ErrMalformed, body)
	}
}
