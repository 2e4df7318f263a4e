package demo_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/api/client"
	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/demo"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/page/browsertest"
	"github.com/productid/productid/pkg/tap"
)

var now = time.Date(2026, 11, 24, 10, 42, 0, 0, time.UTC)

const served = "https://tap.example.com/t?i=sCwcVia7OYj7c7jW&c=00000007&s=AAAA"

// card serves one URL.
type card struct {
	url, last string
	err       error
}

func (c *card) Read(context.Context) (string, error) {
	if c.err == nil {
		c.last = c.url
	}
	return c.url, c.err
}

func (c *card) Last() string { return c.last }

// service accepts the token "good" once.
type service struct {
	used    bool
	asked   []string // audiences
	err     error
	infoErr error
}

func problem(status int, code string) error {
	return &client.Problem{Problem: wire.Problem{Status: status, Code: code}}
}

func (s *service) VerifyRedirect(_ context.Context, token, audience string) (wire.RedirectClaims, error) {
	s.asked = append(s.asked, audience)
	switch {
	case s.err != nil:
		return wire.RedirectClaims{}, s.err
	case token != "good":
		return wire.RedirectClaims{}, problem(http.StatusUnprocessableEntity, "bad_token")
	case s.used:
		return wire.RedirectClaims{}, problem(http.StatusConflict, "used_token")
	}
	s.used = true
	return wire.RedirectClaims{Card: tap.CardID{1}, Counter: 7, Audience: audience, Issued: now}, nil
}

func (s *service) CardInfo(_ context.Context, id tap.CardID) (wire.CardInfo, error) {
	v := wire.CardInfo{Card: wire.Card{ID: id}}
	v.Registered.Time = now.AddDate(-1, 0, 0)
	return v, s.infoErr
}

func assets(t *testing.T) *page.Assets {
	t.Helper()
	a, err := demo.Assets()
	require.NoError(t, err)
	return a
}

func parsed(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	require.NoError(t, err)
	return u
}

func table(t *testing.T, c demo.Card) *demo.Table {
	t.Helper()
	s, err := demo.NewTable(demo.TableOptions{Card: c, Service: parsed(t, "http://localhost:8080"), Shop: parsed(t, "http://localhost:8082/"),
		Assets: assets(t), Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return s
}

func shop(t *testing.T, s demo.Service) *demo.Shop {
	t.Helper()
	shop, err := demo.NewShop(demo.ShopOptions{Service: s, Origin: parsed(t, "http://localhost:8082"), Assets: assets(t),
		Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return shop
}

func ask(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	edge.Handler(h, edge.Options{}).ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func TestATapOpensWhatTheCardServesAtTheService(t *testing.T) {
	c := &card{url: served}
	s := table(t, c)
	before := ask(s, http.MethodGet, "/demo")
	assert.Equal(t, http.StatusOK, before.Code)
	assert.NotContains(t, before.Body.String(), "sCwcVia7OYj7c7jW", "nothing was tapped yet")
	w := ask(s, http.MethodPost, "/demo")
	assert.Equal(t, http.StatusSeeOther, w.Code)
	assert.Equal(t, "http://localhost:8080/t?i=sCwcVia7OYj7c7jW&c=00000007&s=AAAA", w.Header().Get("Location"))
	after := ask(s, http.MethodGet, "/demo")
	assert.Contains(t, after.Body.String(), `href="http://localhost:8080/t?i=sCwcVia7OYj7c7jW&amp;c=00000007&amp;s=AAAA"`)
	assert.Contains(t, after.Body.String(), `href="http://127.0.0.1:8080/t?i=sCwcVia7OYj7c7jW&amp;c=00000007&amp;s=AAAA"`)
	assert.Contains(t, after.Header().Get("Content-Security-Policy"), "form-action 'self' http://localhost:8080;")
	assert.Equal(t, http.StatusSeeOther, ask(s, http.MethodGet, "/").Code)
}

func TestACardThatDoesNotAnswerIsSaid(t *testing.T) {
	w := ask(table(t, &card{err: errors.New("no card")}), http.MethodPost, "/demo")
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Contains(t, w.Body.String(), "The card did not answer")
}

// TestWhatACardServesLeadsNowhereElse: a card is hostile, and its URL a redirect's target.
func TestWhatACardServesLeadsNowhereElse(t *testing.T) {
	for _, bad := range []string{"", "http://tap.example.com/t?i=1", "javascript:alert(1)", "https:t", "https://", "https://user@host/t", "https://h/\r\nSet-Cookie: a=b", "%zz", "//evil.example"} {
		w := ask(table(t, &card{url: bad}), http.MethodPost, "/demo")
		assert.Equal(t, http.StatusServiceUnavailable, w.Code, bad)
		assert.Empty(t, w.Header().Get("Location"), bad)
	}
	for target, want := range map[string]string{
		"https://evil.example//evil.example/t?i=1#x": "http://localhost:8080//evil.example/t?i=1",
		"https://evil.example/%2f%2fevil/..?i=%0a":   "http://localhost:8080/%2f%2fevil/..?i=%0a",
		"https://evil.example?i=1":                   "http://localhost:8080?i=1",
	} {
		opened, err := table(t, &card{}).Opened(target)
		require.NoError(t, err)
		assert.Equal(t, want, opened.String())
	}
}

func TestTheShopShowsTheCertificateOnce(t *testing.T) {
	service := &service{}
	s := shop(t, service)
	plain := ask(s, http.MethodGet, "/").Body.String()
	assert.NotContains(t, plain, "Your certificate")
	assert.Empty(t, service.asked, "without a token nobody is asked")

	first := ask(s, http.MethodGet, "/?productid=good").Body.String()
	assert.Contains(t, first, "Your certificate")
	assert.Contains(t, first, "24 November 2025", "genuine since it was registered")
	assert.Contains(t, first, "24 November 2030", "five years of warranty")
	assert.Equal(t, []string{"http://localhost:8082"}, service.asked)

	again := ask(s, http.MethodGet, "/?productid=good").Body.String()
	assert.NotContains(t, again, "Your certificate")
	assert.Contains(t, again, "was used before")
	assert.Contains(t, ask(s, http.MethodGet, "/?productid=made.up.token").Body.String(), "was used before, or is too old")
}

func TestTheShopTellsNoFromDontKnow(t *testing.T) {
	for name, err := range map[string]error{"away": client.ErrUnavailable, "lost": client.ErrUncertain, "too many": problem(http.StatusTooManyRequests, "too_many"), "strange": client.ErrStrange} {
		body := ask(shop(t, &service{err: err}), http.MethodGet, "/?productid=good").Body.String()
		assert.NotContains(t, body, "Your certificate", name)
		assert.NotContains(t, body, "was used before", name)
		assert.Contains(t, body, "We cannot check right now", name)
	}
	body := ask(shop(t, &service{infoErr: client.ErrUnavailable}), http.MethodGet, "/?productid=good").Body.String()
	assert.Contains(t, body, "Your certificate", "the visit is proved, whatever else can be had")
	assert.NotContains(t, body, "Genuine since")
}

func TestNobodyButAReaderUsesATokenUp(t *testing.T) {
	service := &service{}
	s := shop(t, service)
	ask(s, http.MethodHead, "/?productid=good")
	ask(s, http.MethodGet, "/?productid="+strings.Repeat("x", 3000))
	assert.Empty(t, service.asked)
	assert.Equal(t, http.StatusMethodNotAllowed, ask(s, http.MethodPost, "/?productid=good").Code)
}

// TestPagesInABrowser looks every page over, in both languages and on every device.
func TestPagesInABrowser(t *testing.T) {
	b := browsertest.Open(t)
	c := &card{url: served, last: served}
	serve := func(h http.Handler) string {
		s := httptest.NewServer(edge.Handler(h, edge.Options{}))
		t.Cleanup(s.Close)
		return s.URL
	}
	s := &service{}
	pages := map[string]string{
		"demo": serve(table(t, c)) + "/demo", "demo-unread": serve(table(t, &card{err: errors.New("away")})) + "/demo",
		"shop": serve(shop(t, s)) + "/", "shop-owner": serve(shop(t, s)) + "/?productid=good", "shop-spent": serve(shop(t, s)) + "/?productid=old",
	}
	for _, language := range []string{"en", "it"} {
		for _, d := range []browsertest.Device{browsertest.Phone, browsertest.Desktop, browsertest.Narrow} {
			tab := b.Tab(t, d, language)
			for name, at := range pages {
				s.used = false
				tab.Go(at)
				if name == "demo-unread" {
					tab.Click("#tap")
					tab.Wait(".flash")
				}
				if name == "shop-owner" {
					tab.Wait("#owner")
				}
				tab.Check()
				tab.Screenshot(name + "-" + language)
				if language == "en" && d != browsertest.Narrow {
					tab.Dark(true)
					tab.Screenshot(name + "-dark")
					tab.Check()
					tab.Dark(false)
				}
			}
		}
	}
}

// FuzzOpened: whatever a card serves, what is opened is at the service, and cannot break out of a header.
func FuzzOpened(f *testing.F) {
	service := &url.URL{Scheme: "http", Host: "localhost:8080"}
	t := &demo.Table{TableOptions: demo.TableOptions{Service: service}}
	f.Fuzz(func(tt *testing.T, served string) {
		opened, err := t.Opened(served)
		if err != nil {
			require.ErrorIs(tt, err, demo.ErrServed)
			return
		}
		text := opened.String()
		again, err := url.Parse(text)
		require.NoError(tt, err, text)
		require.Equal(tt, service.Scheme+"://"+service.Host, again.Scheme+"://"+again.Host)
		require.False(tt, strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }), "%q", text)
	})
}
