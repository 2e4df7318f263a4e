package gs1_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/gs1"
)

func ExampleLinkset_Encode() {
	l := gs1.Linkset{{Anchor: "https://tap.example.com/01/09520123456788", Description: "Olive oil", Links: map[string][]gs1.Target{
		gs1.DefaultLink: {{Href: "https://tap.example.com/product/09520123456788", Hreflang: []string{"en", "it"}}},
		gs1.PIP:         {{Href: "https://shop.example/oil", Title: "Olive oil", Type: "text/html"}},
	}}}
	b, err := l.Encode()
	fmt.Println(string(b), err)
	// Output: {"linkset":[{"anchor":"https://tap.example.com/01/09520123456788","description":"Olive oil","https://gs1.org/voc/defaultLink":[{"href":"https://tap.example.com/product/09520123456788","hreflang":["en","it"]}],"https://gs1.org/voc/pip":[{"href":"https://shop.example/oil","title":"Olive oil","type":"text/html"}]}]} <nil>
}

// standing is a linkset as a resolver of somebody else answers.
const standing = `{"linkset":[{"anchor":"https://id.example/01/09520123456788","itemDescription":"Risotto rice",
 "https://gs1.org/voc/pip":[{"href":"https://e.example/pip?a=1&b=2","title":"Produktseite","type":"text/html","hreflang":["de"],"context":["DE"],"title*":[{"value":"ä","language":"de"}]}],
 "https://gs1.org/voc/defaultLink":[{"href":"https://e.example/"}]}]}`

func TestParseLinksetReadsWhatResolversSend(t *testing.T) {
	l, err := gs1.ParseLinkset([]byte(standing))
	require.NoError(t, err)
	want := gs1.Linkset{{Anchor: "https://id.example/01/09520123456788", Description: "Risotto rice", Links: map[string][]gs1.Target{
		gs1.PIP:         {{Href: "https://e.example/pip?a=1&b=2", Title: "Produktseite", Type: "text/html", Hreflang: []string{"de"}}},
		gs1.DefaultLink: {{Href: "https://e.example/"}},
	}}}
	assert.Equal(t, want, l)
}

func TestParseLinksetRefuses(t *testing.T) {
	for _, text := range []string{
		"", "{}", "[]", `{"linkset":null}`, `{"linkset":{}}`, `{"linkset":[1]}`, `{"linkset":[{"anchor":1}]}`, `{"linkset":[{"description":[]}]}`,
		`{"linkset":[{"next":{"href":"x"}}]}`, `{"linkset":[{"next":[{}]}]}`, `{"linkset":[{"next":[{"href":""}]}]}`, `{"linkset":[{"next":[{"href":"x","hreflang":"en"}]}]}`,
		`{"linkset":[{"":[{"href":"x"}]}]}`, `{"linkset":[]} x`, `{"linkset":[` + strings.Repeat(" ", 1<<20) + `]}`,
	} {
		_, err := gs1.ParseLinkset([]byte(text))
		assert.ErrorIs(t, err, gs1.ErrMalformed, "%.80s", text)
	}
	for _, kind := range []string{"", "anchor", "description"} {
		_, err := gs1.Linkset{{Links: map[string][]gs1.Target{kind: {{Href: "x"}}}}}.Encode()
		assert.ErrorIs(t, err, gs1.ErrMalformed, kind)
	}
	_, err := gs1.Linkset{{Links: map[string][]gs1.Target{"next": {{}}}}}.Encode()
	assert.ErrorIs(t, err, gs1.ErrMalformed)
}

func TestLinkTypesHaveOneForm(t *testing.T) {
	for _, text := range []string{"gs1:pip", "https://gs1.org/voc/pip", "http://gs1.org/voc/pip", "https://www.gs1.org/voc/pip", "https://ref.gs1.org/voc/pip"} {
		assert.Equal(t, gs1.PIP, gs1.LinkType(text))
	}
	assert.Equal(t, "linkset", gs1.LinkType("linkset"))
	assert.Equal(t, "https://evil.example/pip", gs1.LinkType("https://evil.example/pip"))
}

// FuzzParseLinkset: what is read is written and read again as the same.
func FuzzParseLinkset(f *testing.F) {
	for _, seed := range []string{standing, `{"linkset":[]}`, `{"linkset":[{}]}`, `{"linkset":[{"next":null}]}`, `{"linkset":[{"anchor":"\ud800","next":[{"href":"x","hreflang":[]}]}]}`, `{"LINKSET":[{"Anchor":[]}]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := gs1.ParseLinkset(data)
		if err != nil {
			require.ErrorIs(t, err, gs1.ErrMalformed)
			return
		}
		written, err := l.Encode()
		require.NoError(t, err)
		again, err := gs1.ParseLinkset(written)
		if len(written) > 1<<20 {
			return
		}
		require.NoError(t, err)
		second, err := again.Encode()
		require.NoError(t, err)
		require.Equal(t, string(written), string(second))
	})
}
