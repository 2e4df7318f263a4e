package identity_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
)

// site is a service with nothing but sign-in.
type site struct {
	*httptest.Server
	host string
}

// newSite serves who one is, signing in as somebody, and signing out. People sign in there by their ids alone.
func newSite(t *testing.T, i *identity.Identity) *site {
	mux := http.NewServeMux()
	mux.HandleFunc("/in", func(w http.ResponseWriter, r *http.Request) {
		p, err := i.Person(r.Context(), r.FormValue("id"))
		if err == nil {
			err = i.SignIn(r.Context(), p)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	})
	mux.HandleFunc("/out", func(w http.ResponseWriter, r *http.Request) { assert.NoError(t, i.SignOut(r.Context())) })
	mux.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) {
		actor := identity.From(r.Context())
		id, _ := i.CurrentSession(r.Context())
		w.Header().Set("Session", id)
		if err := actor.May(acme, identity.ManagePeople); err != nil {
			w.WriteHeader(http.StatusForbidden)
		}
		io.WriteString(w, actor.Name)
	})
	s := httptest.NewTLSServer(i.Sessions()(mux))
	t.Cleanup(s.Close)
	return &site{Server: s}
}

// browser is a client with cookies of its own.
func (s *site) browser(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	c := *s.Client()
	c.Jar = jar
	return &c
}

func (s *site) cookies(t *testing.T, c *http.Client) []*http.Cookie {
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	return c.Jar.Cookies(u)
}

// ask returns the answer's status and text.
func (s *site) ask(t *testing.T, c *http.Client, path string, cookies ...*http.Cookie) (int, string, *http.Response) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
	require.NoError(t, err)
	for _, k := range cookies {
		r.AddCookie(k)
	}
	a, err := c.Do(r)
	require.NoError(t, err)
	return a.StatusCode, read(t, a), a
}

// read reads an answer to its end.
func read(t *testing.T, a *http.Response) string {
	t.Helper()
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	require.NoError(t, err)
	return string(b)
}

func TestSignedInUntilSignedOut(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		ada := enter(t, i, acme, identity.Owner, "Ada")
		s := newSite(t, i)
		b := s.browser(t)
		status, _, _ := s.ask(t, b, "/who")
		assert.Equal(t, http.StatusForbidden, status)
		_, _, a := s.ask(t, b, "/in?id="+ada.ID)
		set := a.Header.Get("Set-Cookie")
		assert.Regexp(t, `^__Host-productid=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; Secure; SameSite=Lax$`, set)
		status, name, _ := s.ask(t, b, "/who")
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, "Ada", name)

		stolen := s.cookies(t, b)
		require.Len(t, stolen, 1)
		thief := s.Client()
		status, _, _ = s.ask(t, thief, "/who", stolen...)
		assert.Equal(t, http.StatusOK, status, "whoever has the cookie is in")
		s.ask(t, b, "/out")
		assert.Empty(t, s.cookies(t, b))
		status, name, _ = s.ask(t, thief, "/who", stolen...)
		assert.Equal(t, http.StatusForbidden, status, "a stolen cookie is dead after sign-out")
		assert.Empty(t, name)
		seen, err := i.Person(t.Context(), ada.ID)
		require.NoError(t, err)
		assert.Equal(t, c.Now(), seen.LastSeen)
	})
}

func TestSignInRotatesTheToken(t *testing.T) {
	i, _ := fresh(t)
	ada, bob := enter(t, i, acme, identity.Owner, "Ada"), enter(t, i, acme, identity.Owner, "Bob")
	s := newSite(t, i)
	planted := &http.Cookie{Name: "__Host-productid", Value: strings.Repeat("A", 43)}
	b := s.browser(t)
	_, _, a := s.ask(t, b, "/in?id="+ada.ID, planted)
	assert.NotContains(t, a.Header.Get("Set-Cookie"), planted.Value, "a planted token is not taken on")
	first := s.cookies(t, b)
	s.ask(t, b, "/in?id="+bob.ID)
	assert.NotEqual(t, first, s.cookies(t, b))
	status, _, _ := s.ask(t, s.Client(), "/who", first...)
	assert.Equal(t, http.StatusForbidden, status, "the session before has ended")
}

func TestSessionsExpireByAgeAndIdleness(t *testing.T) {
	i, c := fresh(t)
	ada := enter(t, i, acme, identity.Owner, "Ada")
	s := newSite(t, i)
	b := s.browser(t)
	s.ask(t, b, "/in?id="+ada.ID)
	for range 13 {
		c.pass(55 * time.Minute)
		status, _, _ := s.ask(t, b, "/who")
		require.Equal(t, http.StatusOK, status)
	}
	c.pass(5 * time.Minute) // 12 hours
	status, _, _ := s.ask(t, b, "/who")
	assert.Equal(t, http.StatusForbidden, status, "however much it was used")

	s.ask(t, b, "/in?id="+ada.ID)
	c.pass(time.Hour)
	status, _, _ = s.ask(t, b, "/who")
	assert.Equal(t, http.StatusForbidden, status, "nobody used it")
	all, err := i.SessionsOf(t.Context(), ada.ID)
	require.NoError(t, err)
	assert.Empty(t, all)
}

func TestRoleChangesActAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		ada, bob := enter(t, i, acme, identity.Owner, "Ada"), enter(t, i, acme, identity.Owner, "Bob")
		s := newSite(t, i)
		b := s.browser(t)
		s.ask(t, b, "/in?id="+bob.ID)
		status, _, _ := s.ask(t, b, "/who")
		require.Equal(t, http.StatusOK, status)
		require.NoError(t, i.SetRole(t.Context(), acme, bob.ID, identity.Auditor))
		status, name, _ := s.ask(t, b, "/who")
		assert.Equal(t, http.StatusForbidden, status)
		assert.Equal(t, "Bob", name)
		require.NoError(t, i.RemoveRole(t.Context(), acme, bob.ID))
		_, name, _ = s.ask(t, b, "/who")
		assert.Empty(t, name, "with his last role his sessions are gone")
		_, err := i.Person(t.Context(), bob.ID)
		assert.NoError(t, err, "his name stays for those who read what he did")
		people, err := i.People(t.Context(), acme)
		require.NoError(t, err)
		require.Len(t, people, 1)
		assert.Equal(t, ada.ID, people[0].ID)
	})
}

func TestSessionsAreEndedSinglyAndTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, i *identity.Identity, c *clock) {
		ada, bob := enter(t, i, acme, identity.Owner, "Ada"), enter(t, i, acme, identity.Owner, "Bob")
		s := newSite(t, i)
		var browsers []*http.Client
		var ids []string
		for range 3 {
			b := s.browser(t)
			s.ask(t, b, "/in?id="+ada.ID)
			_, _, a := s.ask(t, b, "/who")
			browsers, ids = append(browsers, b), append(ids, a.Header.Get("Session"))
		}
		all, err := i.SessionsOf(t.Context(), ada.ID)
		require.NoError(t, err)
		require.Len(t, all, 3)
		assert.Contains(t, all[0].Agent, "Go-http-client")
		assert.Equal(t, c.Now().Add(12*time.Hour), all[0].Expires)
		assert.ErrorIs(t, i.EndSession(t.Context(), bob.ID, ids[0]), identity.ErrUnknownSession, "it is not his")
		require.NoError(t, i.EndSession(t.Context(), ada.ID, ids[0]))
		for k, want := range []int{http.StatusForbidden, http.StatusOK, http.StatusOK} {
			status, _, _ := s.ask(t, browsers[k], "/who")
			assert.Equal(t, want, status)
		}
		require.NoError(t, i.EndSessions(t.Context(), ada.ID))
		for _, b := range browsers {
			status, _, _ := s.ask(t, b, "/who")
			assert.Equal(t, http.StatusForbidden, status)
		}
	})
}

// TestEndedSessionIsNotBroughtBack by a request that began while it held.
func TestEndedSessionIsNotBroughtBack(t *testing.T) {
	i, c := fresh(t)
	ada := enter(t, i, acme, identity.Owner, "Ada")
	mux := http.NewServeMux()
	mux.HandleFunc("/in", func(w http.ResponseWriter, r *http.Request) { assert.NoError(t, i.SignIn(r.Context(), ada)) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		c.pass(2 * time.Minute)
		assert.NoError(t, i.EndSessions(r.Context(), ada.ID))
	})
	mux.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, identity.From(r.Context()).Name) })
	server := httptest.NewTLSServer(i.Sessions()(mux))
	defer server.Close()
	s := &site{Server: server}
	b := s.browser(t)
	s.ask(t, b, "/in")
	_, name, _ := s.ask(t, b, "/who")
	require.Equal(t, "Ada", name)
	s.ask(t, b, "/slow")
	_, name, _ = s.ask(t, b, "/who")
	assert.Empty(t, name)
}

func TestDatabaseThatIsAwayIsNoSignOut(t *testing.T) {
	o, _ := options(t, "https://id.example.com")
	i, err := identity.Open(t.Context(), filepath.Join(t.TempDir(), "identity.db"), o)
	require.NoError(t, err)
	ada := enter(t, i, acme, identity.Owner, "Ada")
	s := newSite(t, i)
	b := s.browser(t)
	s.ask(t, b, "/in?id="+ada.ID)
	require.NoError(t, i.Close())
	status, _, _ := s.ask(t, b, "/who")
	assert.Equal(t, http.StatusServiceUnavailable, status)
	status, _, _ = s.ask(t, s.Client(), "/who")
	assert.Equal(t, http.StatusForbidden, status, "without a cookie nobody asks the database")
}

func TestSignInOutsideOfASessionIsAnError(t *testing.T) {
	i, _ := fresh(t)
	assert.ErrorIs(t, i.SignIn(t.Context(), identity.Person{ID: "x"}), identity.ErrNoSession)
	assert.ErrorIs(t, i.SignOut(t.Context()), identity.ErrNoSession)
	id, begun := i.CurrentSession(t.Context())
	assert.Empty(t, id)
	assert.Zero(t, begun)
	s := newSite(t, i)
	status, _, _ := s.ask(t, s.Client(), "/in?id=nobody")
	assert.Equal(t, http.StatusForbidden, status)
}

func TestOriginsWhereNobodySignsInAreRefused(t *testing.T) {
	for _, text := range []string{"", "http://id.example.com", "ftp://id.example.com", "https://user@id.example.com", "https://id.example.com?x=1", "https://", "https://bücher.example.com"} {
		o, _ := options(t, text)
		_, err := identity.Open(t.Context(), filepath.Join(t.TempDir(), "identity.db"), o)
		assert.ErrorIs(t, err, identity.ErrOrigin, text)
	}
	for _, text := range []string{"http://localhost:8080", "http://127.0.0.1:80", "http://[::1]:8080", "https://id.example.com/base"} {
		o, _ := options(t, text)
		open(t, filepath.Join(t.TempDir(), "identity.db"), o)
	}
	name, secure := identity.CookieName("http")
	assert.Equal(t, "productid", name)
	assert.False(t, secure)
}

// TestClosedIsGone: nothing runs on behind an Identity that was closed.
func TestClosedIsGone(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		o, _ := options(t, "https://id.example.com")
		i, err := identity.Open(t.Context(), filepath.Join(t.TempDir(), "identity.db"), o)
		require.NoError(t, err)
		require.NoError(t, i.Close())
	}
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() < before+20 }, 10*time.Second, 10*time.Millisecond)
}
