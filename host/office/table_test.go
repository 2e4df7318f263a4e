package office_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/office"
	"github.com/productid/productid/pkg/channel"
)

// may is who may do what, written down a second time: a route that is not here fails the test, and so does one that lets others in.
var may = map[string]string{
	"GET /office/signin":                       "anybody",
	"POST /office/signin/begin":                "anybody",
	"POST /office/signin":                      "anybody",
	"POST /office/signin/recover":              "anybody",
	"GET /office/signin/organisation":          "anybody",
	"GET /office/signin/callback":              "anybody",
	"GET /office/setup":                        "anybody",
	"GET /office/setup/{token}":                "anybody",
	"POST /office/setup/begin":                 "anybody",
	"POST /office/setup":                       "anybody",
	"POST /office/setup/organisation":          "anybody",
	"GET /office":                              "stranger auditor operator owner",
	"GET /office/{$}":                          "stranger auditor operator owner",
	"POST /office/signout":                     "stranger auditor operator owner",
	"GET /office/account":                      "stranger auditor operator owner",
	"POST /office/account/invitation":          "stranger auditor operator owner",
	"POST /office/account/recovery":            "stranger auditor operator owner",
	"POST /office/account/organisation":        "stranger auditor operator owner",
	"POST /office/account/organisation/remove": "stranger auditor operator owner",
	"POST /office/account/name":                "stranger auditor operator owner",
	"POST /office/account/passkeys":            "stranger auditor operator owner",
	"POST /office/account/passkeys/begin":      "stranger auditor operator owner",
	"POST /office/account/passkeys/remove":     "stranger auditor operator owner",
	"POST /office/account/sessions/end":        "stranger auditor operator owner",

	"GET /office/i/{issuer}/{$}":                           "auditor operator owner",
	"GET /office/i/{issuer}/cards":                         "auditor operator owner",
	"GET /office/i/{issuer}/cards.csv":                     "auditor operator owner",
	"GET /office/i/{issuer}/cards/{card}":                  "auditor operator owner",
	"POST /office/i/{issuer}/cards/{card}/settings":        "operator owner",
	"POST /office/i/{issuer}/cards/{card}/product":         "operator owner",
	"POST /office/i/{issuer}/cards/{card}/device":          "operator owner",
	"POST /office/i/{issuer}/cards/{card}/revoke":          "operator owner",
	"POST /office/i/{issuer}/cards/{card}/capability":      "operator owner",
	"GET /office/i/{issuer}/taps":                          "auditor operator owner",
	"GET /office/i/{issuer}/alarms":                        "auditor operator owner",
	"POST /office/i/{issuer}/alarms/{id}":                  "operator owner",
	"GET /office/i/{issuer}/reports":                       "auditor operator owner",
	"POST /office/i/{issuer}/reports/{id}":                 "operator owner",
	"GET /office/i/{issuer}/channels":                      "auditor operator owner",
	"GET /office/i/{issuer}/products":                      "auditor operator owner",
	"GET /office/i/{issuer}/products/new":                  "owner",
	"GET /office/i/{issuer}/products/{id}":                 "owner",
	"POST /office/i/{issuer}/products/{id}":                "owner",
	"POST /office/i/{issuer}/products/{id}/delete":         "owner",
	"GET /office/i/{issuer}/issuer":                        "owner",
	"POST /office/i/{issuer}/issuer":                       "owner",
	"GET /office/i/{issuer}/keys":                          "owner",
	"POST /office/i/{issuer}/keys":                         "owner",
	"POST /office/i/{issuer}/keys/{id}/revoke":             "owner",
	"GET /office/i/{issuer}/notices":                       "owner",
	"POST /office/i/{issuer}/notices/webhooks":             "owner",
	"POST /office/i/{issuer}/notices/webhooks/{id}/test":   "owner",
	"POST /office/i/{issuer}/notices/webhooks/{id}/remove": "owner",
	"POST /office/i/{issuer}/notices/mail":                 "owner",
	"GET /office/i/{issuer}/people":                        "owner",
	"POST /office/i/{issuer}/people":                       "owner",
	"POST /office/i/{issuer}/people/{id}/role":             "owner",
	"POST /office/i/{issuer}/people/{id}/remove":           "owner",
	"POST /office/i/{issuer}/invitations/{id}/withdraw":    "owner",
	"GET /office/i/{issuer}/audit":                         "auditor owner",
	"GET /office/i/{issuer}/system":                        "owner",
}

// TestWhoMayDoWhat walks the whole table with everybody: nobody signed in, an API key's owner without a role, somebody of another issuer, and the
// three roles.
func TestWhoMayDoWhat(t *testing.T) {
	w := newWorld(t)
	bell := func(role identity.Role) map[channel.ID]identity.Role {
		return map[channel.ID]identity.Role{w.bell.id: role}
	}
	people := map[string]identity.Person{
		"auditor": w.person("Aldo", bell(identity.Auditor)), "operator": w.person("Olga", bell(identity.Operator)),
		"owner": w.person("Ada", bell(identity.Owner)), "stranger": w.person("Rita", map[channel.ID]identity.Role{w.rival.id: identity.Owner}),
	}
	w.person("the other owner", bell(identity.Owner)) // so that nobody is the last one
	known := map[string]bool{}
	for _, pattern := range office.Patterns() {
		allowed, listed := may[pattern]
		if !assert.True(t, listed, "%s: nobody wrote down who may", pattern) {
			continue
		}
		known[pattern] = true
		for _, who := range []string{"nobody", "stranger", "auditor", "operator", "owner"} {
			b := w.browser()
			if p, is := people[who]; is {
				b.sign(p)
			}
			w.refused(t, b, pattern, who, allowed == "anybody" || strings.Contains(allowed, who))
		}
	}
	for pattern := range may {
		assert.True(t, known[pattern], "%s: there is no such route any more", pattern)
	}
}

// refused asks for a route, and checks whether the one who asks is let in.
func (w *world) refused(t *testing.T, b *browser, pattern, who string, allowed bool) {
	method, path, _ := strings.Cut(pattern, " ")
	path = strings.NewReplacer("{issuer}", w.bell.id.String(), "{card}", w.bell.cards[0].ID().String(), "{id}", "0", "{token}", "nothing", "{$}", "").Replace(path)
	before := len(w.acts())
	var answer *httptest.ResponseRecorder
	if method == http.MethodPost {
		answer = b.post(path, url.Values{})
	} else {
		answer = b.get(path)
	}
	toSignIn := answer.Code == http.StatusSeeOther && strings.HasPrefix(answer.Header().Get("Location"), "/office/signin") &&
		!strings.HasPrefix(path, "/office/signin") && path != "/office/signout"
	switch {
	case allowed:
		assert.False(t, toSignIn || answer.Code == http.StatusForbidden || answer.Code >= 500, "%s: %s is kept out: %d", pattern, who, answer.Code)
		return
	case who == "nobody":
		assert.True(t, toSignIn || path == "/office/signout" && answer.Code == http.StatusSeeOther, "%s: nobody gets %d", pattern, answer.Code)
	default:
		assert.Equal(t, http.StatusForbidden, answer.Code, "%s: %s", pattern, who)
		assert.NotContains(t, answer.Body.String(), w.bell.cards[0].ID().String())
	}
	assert.Len(t, w.acts(), before, "%s: %s left an act", pattern, who)
}

func TestAnAPIKeyOpensNoPage(t *testing.T) {
	w := newWorld(t)
	k, _, err := w.people.CreateKey(t.Context(), identity.KeyOrder{Issuer: w.bell.id, Name: "leaked", Scopes: identity.Scopes()})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, base+w.in("/cards"), nil)
	r = r.WithContext(identity.WithActor(r.Context(), k.Actor()))
	answer := w.browser().send(r)
	assert.Equal(t, http.StatusSeeOther, answer.Code)
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	w := newWorld(t)
	b := w.as("Ada", map[channel.ID]identity.Role{w.bell.id: identity.Owner})
	r := httptest.NewRequest(http.MethodPost, base+w.in("/keys"), strings.NewReader("name=x&scope=cards:read&life=never"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	assert.Equal(t, http.StatusForbidden, answer.Code)
	keys, err := w.people.Keys(t.Context(), w.bell.id)
	require.NoError(t, err)
	assert.Empty(t, keys)
}
