package identity_test

import (
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/store/storetest"
)

const callback = "https://id.example.com/office/signin/callback"

// newProvider starts zitadel's OpenID provider with the storage of its example: it knows test-user and test-user2.
func newProvider(t *testing.T) identity.Provider {
	log := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // it logs each request
	t.Cleanup(func() { slog.SetDefault(log) })
	var handler http.Handler
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(s.Close)
	storage.RegisterClients(storage.WebClient("productid", "a secret", callback))
	issuer := s.URL + "/"
	handler = exampleop.SetupServer(issuer, storage.NewStorage(storage.NewUserStore(issuer)), nil, false)
	return identity.Provider{Issuer: issuer, ClientID: "productid", Secret: "a secret", Name: "Example"}
}

// The provider's accounts, as subjects of its tokens and as its people type them.
var accounts = map[string]string{"id1": "test-user@127.0.0.1", "id2": "test-user2"}

// withProvider opens a service that people may sign in to through the provider. Its clock is the provider's.
func withProvider(t *testing.T, place string, p identity.Provider) *identity.Identity {
	o, _ := options(t, "https://id.example.com")
	o.Now, o.Providers = time.Now, []identity.Provider{p}
	return open(t, place, o)
}

func onBothWithProvider(t *testing.T, test func(t *testing.T, i *identity.Identity, p identity.Provider)) {
	p := newProvider(t)
	t.Run("sqlite", func(t *testing.T) {
		test(t, withProvider(t, filepath.Join(t.TempDir(), "identity.db"), p), p)
	})
	t.Run("postgres", func(t *testing.T) {
		test(t, withProvider(t, storetest.Postgres(t), p), p)
	})
}

var requestID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// signInThere goes where the service sends it, signs in at the provider, and returns what comes back.
func signInThere(t *testing.T, redirect, subject string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	c := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "id.example.com" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	a, err := c.Get(redirect)
	require.NoError(t, err)
	id := requestID.FindStringSubmatch(read(t, a))
	require.Len(t, id, 2)
	u, err := url.Parse(redirect)
	require.NoError(t, err)
	a, err = c.PostForm(u.Scheme+"://"+u.Host+"/login/username", url.Values{"id": {id[1]}, "username": {accounts[subject]}, "password": {"verysecure"}})
	require.NoError(t, err)
	read(t, a)
	back, err := a.Location()
	require.NoError(t, err)
	require.Equal(t, callback, back.Scheme+"://"+back.Host+back.Path)
	return back.Query()
}

// visit goes to the provider and back.
func visit(t *testing.T, i *identity.Identity, s identity.OIDCStart, subject string) (identity.Person, error) {
	t.Helper()
	redirect, state, err := i.BeginOIDC(t.Context(), s)
	require.NoError(t, err)
	return i.FinishOIDC(t.Context(), state, signInThere(t, redirect, subject))
}

func TestProviderSignsInWhoWasInvited(t *testing.T) {
	onBothWithProvider(t, func(t *testing.T, i *identity.Identity, p identity.Provider) {
		_, err := visit(t, i, identity.OIDCStart{Provider: p.Issuer}, "id1")
		assert.ErrorIs(t, err, identity.ErrUnknownSubject, "the provider knows him, and nobody invited him")

		v, err := i.Invite(t.Context(), acme, identity.Owner, "Ada", time.Hour)
		require.NoError(t, err)
		ada, err := visit(t, i, identity.OIDCStart{Provider: p.Issuer, Invitation: v.Token}, "id1")
		require.NoError(t, err)
		assert.Equal(t, "Ada", ada.Name)
		assert.Equal(t, identity.Owner, ada.Roles[acme])
		assert.Equal(t, acme, ada.Joined)
		_, _, err = i.BeginOIDC(t.Context(), identity.OIDCStart{Provider: p.Issuer, Invitation: v.Token})
		assert.ErrorIs(t, err, identity.ErrUnknownInvitation, "used")
		in, err := visit(t, i, identity.OIDCStart{Provider: p.Issuer}, "id1")
		require.NoError(t, err)
		assert.Equal(t, ada.ID, in.ID)
		assert.Zero(t, in.Joined)
		_, err = visit(t, i, identity.OIDCStart{Provider: p.Issuer}, "id2")
		assert.ErrorIs(t, err, identity.ErrUnknownSubject)

		v, err = i.Invite(t.Context(), bell, identity.Auditor, "Ada at Bell", time.Hour)
		require.NoError(t, err)
		in, err = visit(t, i, identity.OIDCStart{Provider: p.Issuer, Invitation: v.Token}, "id1")
		require.NoError(t, err)
		assert.Equal(t, ada.ID, in.ID, "the same person")
		assert.Equal(t, bell, in.Joined)
		assert.Len(t, in.Roles, 2)
	})
}

func TestWhoIsSignedInLinksHisAccount(t *testing.T) {
	onBothWithProvider(t, func(t *testing.T, i *identity.Identity, p identity.Provider) {
		ada, d, _ := enrolled(t, i, identity.Owner, "Ada")
		bob, _, _ := enrolled(t, i, identity.Owner, "Bob")
		_, err := visit(t, i, identity.OIDCStart{Provider: p.Issuer, Person: ada.ID}, "id1")
		require.NoError(t, err)
		_, err = visit(t, i, identity.OIDCStart{Provider: p.Issuer, Person: bob.ID}, "id1")
		assert.ErrorIs(t, err, identity.ErrLinkedElsewhere)
		_, err = visit(t, i, identity.OIDCStart{Provider: p.Issuer, Person: "nobody"}, "id2")
		assert.ErrorIs(t, err, identity.ErrUnknownPerson)
		in, err := visit(t, i, identity.OIDCStart{Provider: p.Issuer}, "id1")
		require.NoError(t, err)
		assert.Equal(t, ada.ID, in.ID)

		links, err := i.Links(t.Context(), ada.ID)
		require.NoError(t, err)
		require.Len(t, links, 1)
		assert.Equal(t, "id1", links[0].Subject)
		assert.NotZero(t, links[0].Used)
		keys, err := i.Passkeys(t.Context(), ada.ID)
		require.NoError(t, err)
		require.NoError(t, i.RemovePasskey(t.Context(), ada.ID, keys[0].ID), "the account is another way in")
		_, err = d.login(t, i)
		assert.ErrorIs(t, err, identity.ErrUnknownPasskey)
		assert.ErrorIs(t, i.Unlink(t.Context(), bob.ID, p.Issuer, "id1"), identity.ErrUnknownSubject, "it is not his")
		assert.ErrorIs(t, i.Unlink(t.Context(), ada.ID, p.Issuer, "id1"), identity.ErrLastWayIn)
	})
}

// TestAccountOfAProviderThatIsGoneIsNoWayIn: whoever stops using a provider must not have locked people out.
func TestAccountOfAProviderThatIsGoneIsNoWayIn(t *testing.T) {
	place := filepath.Join(t.TempDir(), "identity.db")
	p := newProvider(t)
	i := withProvider(t, place, p)
	ada, _, _ := enrolled(t, i, identity.Owner, "Ada")
	_, err := visit(t, i, identity.OIDCStart{Provider: p.Issuer, Person: ada.ID}, "id1")
	require.NoError(t, err)
	o, _ := options(t, "https://id.example.com")
	without := open(t, place, o)
	keys, err := without.Passkeys(t.Context(), ada.ID)
	require.NoError(t, err)
	assert.ErrorIs(t, without.RemovePasskey(t.Context(), ada.ID, keys[0].ID), identity.ErrLastWayIn)
	_, _, err = without.BeginOIDC(t.Context(), identity.OIDCStart{Provider: p.Issuer})
	assert.ErrorIs(t, err, identity.ErrUnknownProvider)
}

func TestComingBackOtherwiseThanOneLeftIsRefused(t *testing.T) {
	p := newProvider(t)
	i := withProvider(t, filepath.Join(t.TempDir(), "identity.db"), p)
	v, err := i.Invite(t.Context(), acme, identity.Owner, "Ada", time.Hour)
	require.NoError(t, err)
	_, err = visit(t, i, identity.OIDCStart{Provider: p.Issuer, Invitation: v.Token}, "id1")
	require.NoError(t, err)

	redirect, state, err := i.BeginOIDC(t.Context(), identity.OIDCStart{Provider: p.Issuer})
	require.NoError(t, err)
	sent, err := url.Parse(redirect)
	require.NoError(t, err)
	assert.Equal(t, "S256", sent.Query().Get("code_challenge_method"))
	assert.NotEmpty(t, sent.Query().Get("code_challenge"))
	assert.NotEmpty(t, sent.Query().Get("nonce"))
	_, other, err := i.BeginOIDC(t.Context(), identity.OIDCStart{Provider: p.Issuer})
	require.NoError(t, err)
	back := signInThere(t, redirect, "id1")
	_, err = i.FinishOIDC(t.Context(), other, back)
	assert.ErrorIs(t, err, identity.ErrBadCeremony, "in the browser of somebody else")
	_, err = i.FinishOIDC(t.Context(), "", back)
	assert.ErrorIs(t, err, identity.ErrBadCeremony)
	for name, change := range map[string]struct {
		key, value string
		want       error
	}{
		"another state":       {"state", "x", identity.ErrBadCeremony},
		"another provider":    {"iss", "https://evil.example.com", identity.ErrBadToken},
		"no code":             {"code", "", identity.ErrNotSignedIn},
		"a code that is none": {"code", "x", identity.ErrNotSignedIn},
	} {
		q := url.Values{"state": back["state"], "code": back["code"]}
		q.Set(change.key, change.value)
		_, err = i.FinishOIDC(t.Context(), state, q)
		assert.ErrorIs(t, err, change.want, name)
	}
	_, err = i.FinishOIDC(t.Context(), state, back)
	require.NoError(t, err)
	_, err = i.FinishOIDC(t.Context(), state, back)
	assert.Error(t, err, "a second time")
}

// TestStolenCodeIsWorthNothing without the verifier that stayed with who began (PKCE).
func TestStolenCodeIsWorthNothing(t *testing.T) {
	p := newProvider(t)
	i := withProvider(t, filepath.Join(t.TempDir(), "identity.db"), p)
	victim, _, err := i.BeginOIDC(t.Context(), identity.OIDCStart{Provider: p.Issuer})
	require.NoError(t, err)
	stolen := signInThere(t, victim, "id1")
	thief, state, err := i.BeginOIDC(t.Context(), identity.OIDCStart{Provider: p.Issuer})
	require.NoError(t, err)
	own, err := url.Parse(thief)
	require.NoError(t, err)
	_, err = i.FinishOIDC(t.Context(), state, url.Values{"state": {own.Query().Get("state")}, "code": stolen["code"]})
	assert.ErrorIs(t, err, identity.ErrNotSignedIn)
}

func TestProviderThatIsAwayIsNoRefusal(t *testing.T) {
	var up bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up {
			http.Error(w, "later", http.StatusBadGateway)
			return
		}
		base := "http://" + r.Host
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"issuer":"` + base + `","authorization_endpoint":"` + base + `/auth","token_endpoint":"` + base + `/token","jwks_uri":"` + base + `/jwks"}`))
	}))
	defer s.Close()
	i := withProvider(t, filepath.Join(t.TempDir(), "identity.db"), identity.Provider{Issuer: s.URL, ClientID: "x"})
	start := identity.OIDCStart{Provider: s.URL}
	_, _, err := i.BeginOIDC(t.Context(), start)
	assert.ErrorIs(t, err, identity.ErrProviderAway)
	up = true
	redirect, state, err := i.BeginOIDC(t.Context(), start)
	require.NoError(t, err, "it is asked again")
	up = false
	sent, err := url.Parse(redirect)
	require.NoError(t, err)
	_, err = i.FinishOIDC(t.Context(), state, url.Values{"state": {sent.Query().Get("state")}, "code": {"x"}})
	assert.ErrorIs(t, err, identity.ErrProviderAway)
	assert.NotErrorIs(t, err, identity.ErrNotSignedIn)
}

func TestProvidersHaveToBeReachedSafely(t *testing.T) {
	for _, p := range []identity.Provider{{Issuer: "http://login.example.com", ClientID: "x"}, {Issuer: "login", ClientID: "x"}, {Issuer: "https://login.example.com"}} {
		o, _ := options(t, "https://id.example.com")
		o.Providers = []identity.Provider{p}
		_, err := identity.Open(t.Context(), filepath.Join(t.TempDir(), "identity.db"), o)
		assert.Error(t, err, p)
	}
	o, _ := options(t, "https://id.example.com")
	o.Providers = []identity.Provider{{Issuer: "https://login.example.com", ClientID: "x", Secret: "hidden", Name: "Work"}}
	i := open(t, filepath.Join(t.TempDir(), "identity.db"), o)
	assert.Equal(t, []identity.Provider{{Issuer: "https://login.example.com", ClientID: "x", Name: "Work"}}, i.Providers())
	assert.Equal(t, "__Host-productid-oidc=v; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax", i.StateCookie("v").String())
	assert.Negative(t, i.StateCookie("").MaxAge)
}
