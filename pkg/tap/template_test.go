package tap_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

func TestTemplateAccepts(t *testing.T) {
	card := taptest.NewCard("card")
	for _, template := range []tap.Template{
		{"https://tap.example.com/t?i=", "&c="},
		{"https://tap.example.com:8443/?utm=a%20b&i=", "&lang=de&c="},
		{"https://id.example.com/01/09520123456788/21/", "?c="},
		{"https://id.example.com/01/09520123456788/10/L7/21/SERIAL7?i=", "&c="},
		{"https://h/" + strings.Repeat("p", 120-10-6) + "?i=", "&c="},
	} {
		require.NoError(t, template.Check(), "%v", template)
		card.Template = template
		u, err := tap.Parse(card.Tap())
		require.NoError(t, err)
		assert.NoError(t, u.Verify(card.Key()))
	}
}

func TestTemplateRefuses(t *testing.T) {
	for name, template := range map[string]tap.Template{
		"nothing":                     {},
		"http":                        {"http://h/?i=", "&c="},
		"upper-case scheme":           {"HTTPS://h/?i=", "&c="},
		"no host":                     {"https:///?i=", "&c="},
		"port without a number":       {"https://h:x/?i=", "&c="},
		"port without digits":         {"https://h:/?i=", "&c="},
		"port too long":               {"https://h:123456/?i=", "&c="},
		"only a port":                 {"https://:80/?i=", "&c="},
		"colons":                      {"https://::1/?i=", "&c="},
		"empty label":                 {"https://a..b/?i=", "&c="},
		"hyphen at an end":            {"https://a-.b/?i=", "&c="},
		"host with an underscore":     {"https://a_b/?i=", "&c="},
		"percent sign in the host":    {"https://a%2Eb/?i=", "&c="},
		"fragment":                    {"https://h/#?i=", "&c="},
		"fragment in the middle":      {"https://h/?i=", "#&c="},
		"user name":                   {"https://u@h/?i=", "&c="},
		"percent sign alone":          {"https://h/%?i=", "&c="},
		"percent sign at the end":     {"https://h/21/%4", "?c="},
		"percent sign and no digits":  {"https://h/%zz?i=", "&c="},
		"space":                       {"https://h/a b?i=", "&c="},
		"quote":                       {"https://h/\"?i=", "&c="},
		"not ASCII":                   {"https://h/é?i=", "&c="},
		"control character":           {"https://h/\n?i=", "&c="},
		"too long":                    {"https://h/" + strings.Repeat("p", 120-10-6+1) + "?i=", "&c="},
		"id in an unknown parameter":  {"https://h/?id=", "&c="},
		"id of its own":               {"https://h/21/", "?i=AAAAAAAAAAAAAAAA&c="},
		"id twice":                    {"https://h/?i=AAAAAAAAAAAAAAAA&i=", "&c="},
		"counter of its own":          {"https://h/?c=00000001&i=", "&c="},
		"counter glued to digits":     {"https://h/?i=", "&c=0"},
		"counter in an unknown place": {"https://h/?i=", "&cc="},
		"signature of its own":        {"https://h/?s=1&i=", "&c="},
		"version":                     {"https://h/?v=1&i=", "&c="},
		"k":                           {"https://h/?k=1&i=", "&c="},
		"n in the middle":             {"https://h/?i=", "&n=&c="},
		"x without a value":           {"https://h/?x&i=", "&c="},
		"brackets":                    {"https://[::1]/?i=", "&c="},
		"id only in a path":           {"https://h/", "?c="},
		"serial that is the host":     {"https://21/", "?c="},
		"serial behind a query":       {"https://h/?q=/21/", "?c="},
		"serial, second query part":   {"https://h/21/", "&c="},
		"query begins twice":          {"https://h/?i=", "?c="},
		"query inside a query":        {"https://h/?q=1?i=", "&c="},
		"foreign percent-encoded key": {"https://h/?%41=1&i=", "&c="},
		"percent-encoded parameter":   {"https://h/?%78=1&i=", "&c="},
	} {
		assert.ErrorIs(t, template.Check(), tap.ErrMalformed, name)
	}
}

func TestPlainTemplate(t *testing.T) {
	for address, prefix := range map[string]string{
		"https://h/t":        "https://h/t?i=",
		"https://h":          "https://h/?i=",
		"https://h?q=1":      "https://h/?q=1&i=",
		"https://h/t?":       "https://h/t?i=",
		"https://h/t?q=1&r=": "https://h/t?q=1&r=&i=",
	} {
		template, err := tap.PlainTemplate(address)
		require.NoError(t, err, address)
		assert.Equal(t, tap.Template{Prefix: prefix, Middle: "&c="}, template)
	}
	for _, address := range []string{"", "h/t", "http://h/t", "https://h/#top", "https://h/?i=1"} {
		_, err := tap.PlainTemplate(address)
		assert.ErrorIs(t, err, tap.ErrMalformed, address)
	}
}
