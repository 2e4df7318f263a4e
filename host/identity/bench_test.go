package identity_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
)

// BenchmarkAuthenticate measures what a key costs each request: one that is good, one whose secret is wrong, and one that was never
// made cost about the same.
func BenchmarkAuthenticate(b *testing.B) {
	i, _ := fresh(b)
	_, token, err := i.CreateKey(b.Context(), order(identity.ReadCards))
	require.NoError(b, err)
	good := token.Reveal()
	for name, text := range map[string]string{
		"good":    good,
		"wrong":   good[:len(good)-1] + flip(good[len(good)-1]),
		"unknown": strings.Replace(good, good[9:25], "aaaaaaaaaaaaaaaa", 1),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := i.Authenticate(b.Context(), text); (err == nil) != (name == "good") {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSession measures what being signed in costs each request.
func BenchmarkSession(b *testing.B) {
	i, _ := fresh(b)
	ada := enter(b, i, acme, identity.Owner, "Ada")
	h := i.Sessions()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/in" {
			require.NoError(b, i.SignIn(r.Context(), ada))
		} else if identity.From(r.Context()).Name != "Ada" {
			b.Error("not signed in")
		}
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/in", nil))
	cookie := w.Result().Cookies()[0]
	for b.Loop() {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(cookie)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
