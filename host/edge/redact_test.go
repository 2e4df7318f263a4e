package edge_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/productid/productid/host/edge"
)

const signature = "biDyTFh7H2-z2z9moWk4fipxpqEeZoRWZvctsth3dDuWDBSAfoLkySzm5gttI1OWooEZHYtHSySktaWO0lmzgQ"

func TestRedactTakesSecretsOutAndLeavesTheRest(t *testing.T) {
	const s = signature
	for in, want := range map[string]string{
		"":                                       "",
		"/":                                      "/",
		"/office/cards?q=wine&after=12":          "/office/cards?q=wine&after=12",
		"/t?i=sCwcVia7OYj7c7jW&c=1&s=" + s:       "/t?i=sCwcVia7OYj7c7jW&c=1&s=…",
		"/t?s=short&c=1":                         "/t?s=…&c=1",
		"/t?S=short":                             "/t?S=…",
		"/t?%73=short":                           "/t?%73=…",
		"/t?%2573=short":                         "/t?%2573=…",
		"/t?c=1;s=short":                         "/t?c=1;s=…",
		"/t?c=1?s=short":                         "/t?c=1?s=…",
		"/t?s==" + s:                             "/t?s=…",
		"/t?s":                                   "/t?s",
		"/t?s=":                                  "/t?s=",
		"/t?" + s:                                "/t?…",
		"/t?s%3D" + s:                            "/t?…",
		"/t?%zz=" + s:                            "/t?%zz=…",
		"/t/" + s:                                "/t/…",
		"/check?url=https%3A%2F%2Fx%3Fs%3D" + s:  "/check?url=…",
		"https://shop.example/p?productid=a.b.c": "https://shop.example/p?productid=…",
		"/office/setup/" + s[:26]:                "/office/setup/…",
		"/office/oidc?code=abc&state=def&session_state=g": "/office/oidc?code=…&state=…&session_state=g",
		"/problems/already_used":                          "/problems/already_used",
		"/01/09506000134352/21/sCwcVia7OYj7c7jW?s=" + s:   "/01/09506000134352/21/sCwcVia7OYj7c7jW?s=…",
		"/t?ö=ü": "/t?ö=ü",
	} {
		assert.Equal(t, want, edge.Redact(in), in)
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("/t?i=sCwcVia7OYj7c7jW&c=000000FF&s=", "")
	f.Add("/t?c=1;%73=", "&x=1")
	f.Add("/check?url=https%3A%2F%2Fx%3Fs%3D", "#s")
	f.Add("/office/setup/", "?a=b?c=d&&;=")
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, written := range []string{signature, url.QueryEscape(signature), strings.ReplaceAll(signature, "-", "%2D")} {
			got := edge.Redact(before + written + after)
			for _, kept := range []string{got, unescaped(got)} {
				for i := 0; i+20 <= len(signature); i++ {
					if piece := signature[i : i+20]; strings.Contains(kept, piece) && !strings.Contains(before+after, piece) {
						t.Fatalf("%q keeps %q", got, piece)
					}
				}
			}
			if again := edge.Redact(got); again != got {
				t.Fatalf("redacted twice %q becomes %q", got, again)
			}
		}
	})
}

// unescaped is what a reader makes of the log.
func unescaped(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}
