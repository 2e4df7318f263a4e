package ndef_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/pkg/ndef"
)

func TestEncodeURI(t *testing.T) {
	for uri, want := range map[string]string{
		"https://a.b":     "d1010455" + "04" + hex.EncodeToString([]byte("a.b")),
		"https://www.a.b": "d1010855" + "04" + hex.EncodeToString([]byte("www.a.b")),
		"http://a":        "d1010255" + "03" + "61",
		"tel:1":           "d1010655" + "00" + hex.EncodeToString([]byte("tel:1")),
		"https://":        "d1010155" + "04",
	} {
		message, err := ndef.EncodeURI(uri)
		require.NoError(t, err)
		assert.Equal(t, want, hex.EncodeToString(message), uri)
	}
}

func TestLongRecordFrom256Bytes(t *testing.T) {
	for n, head := range map[int]string{254: "d101ff55", 255: "c1010000010055"} {
		uri := "https://" + strings.Repeat("x", n)
		message, err := ndef.EncodeURI(uri)
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(hex.EncodeToString(message), head+"04"), "%d bytes", n)
		read, err := ndef.ParseURI(message)
		require.NoError(t, err)
		assert.Equal(t, uri, read)
	}
}

func TestEncodeURIRefuses(t *testing.T) {
	for _, uri := range []string{"", "https://a\nb", "https://\xff", "a\x7f"} {
		_, err := ndef.EncodeURI(uri)
		assert.ErrorIs(t, err, ndef.ErrMalformed, "%q", uri)
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		uri := rapid.StringMatching(`(https?://(www\.)?)?[!-~]{1,600}`).Draw(t, "uri")
		message, err := ndef.EncodeURI(uri)
		require.NoError(t, err)
		read, err := ndef.ParseURI(message)
		require.NoError(t, err)
		assert.Equal(t, uri, read)
		cut := rapid.IntRange(0, len(message)-1).Draw(t, "cut")
		_, err = ndef.ParseURI(message[:cut])
		assert.ErrorIs(t, err, ndef.ErrMalformed, "cut at %d", cut)
	})
}

func TestParseURI(t *testing.T) {
	for name, row := range map[string]struct{ message, want string }{
		"www":                    {"d10102550261", "https://www.a"},
		"last identifier code":   {"d10102552361", "urn:nfc:a"},
		"with an id":             {"d901020155" + "49" + "0461", "https://a"},
		"long form, short value": {"c1010000000255" + "0461", "https://a"},
		"another record behind":  {"91010255" + "0461" + "51010154" + "00", "https://a"},
		"empty record behind":    {"91010255" + "0461" + "500000", "https://a"},
	} {
		read, err := ndef.ParseURI(fromHex(t, row.message))
		require.NoError(t, err, name)
		assert.Equal(t, row.want, read, name)
	}
}

func TestParseURIRefuses(t *testing.T) {
	for name, message := range map[string]string{
		"nothing":                        "",
		"flags only":                     "d1",
		"no payload length":              "d101",
		"no id length":                   "d90102",
		"long length cut":                "c101000000",
		"payload longer than message":    "d101035504" + "61",
		"payload of 4 GiB":               "c101ffffffff5504" + "61",
		"type longer than message":       "d1ff025504" + "61",
		"id longer than message":         "d90102ff55" + "0461",
		"chunked":                        "b1010255" + "0461",
		"byte behind":                    "d1010255" + "0461" + "00",
		"begin flag missing":             "51010255" + "0461",
		"end flag missing":               "91010255" + "0461",
		"second message inside":          "91010255" + "0461" + "d10101540" + "0",
		"second record truncated":        "91010255" + "0461" + "5101",
		"text record":                    "d1010254" + "0461",
		"type Sp":                        "d10202" + "5370" + "0461",
		"media type named U":             "d2010255" + "0461",
		"empty message":                  "d00000",
		"empty record with a payload":    "d0000161",
		"empty record with an id length": "d8000000",
		"unknown type with a type":       "91010255" + "0461" + "55010155" + "00",
		"unchanged outside a chunk":      "d6000161",
		"reserved type name format":      "d7000161",
		"no identifier code":             "d1010055",
		"identifier code 24":             "d10102552461",
		"no UTF-8":                       "d101025504ff",
		"control character":              "d1010255040a",
		"empty URI":                      "d101015500",
	} {
		_, err := ndef.ParseURI(fromHex(t, message))
		assert.ErrorIs(t, err, ndef.ErrMalformed, name)
	}
}

func fromHex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

func FuzzParseURI(f *testing.F) {
	for _, uri := range []string{"https://a", "tel:1", "https://" + strings.Repeat("x", 300)} {
		message, err := ndef.EncodeURI(uri)
		require.NoError(f, err)
		f.Add(message)
	}
	f.Add(fromHex(f, "91010255046151010154"+"00"))
	f.Fuzz(func(t *testing.T, message []byte) {
		uri, err := ndef.ParseURI(message)
		if err != nil {
			assert.ErrorIs(t, err, ndef.ErrMalformed)
			return
		}
		encoded, err := ndef.EncodeURI(uri)
		require.NoError(t, err)
		again, err := ndef.ParseURI(encoded)
		require.NoError(t, err)
		assert.Equal(t, uri, again)
	})
}
