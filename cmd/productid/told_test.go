package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/pkg/card/cardtest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

// letters is a relay on this machine that hands on what it gets.
type letters chan string

func (l letters) NewSession(*smtp.Conn) (smtp.Session, error) { return l, nil }
func (l letters) Mail(string, *smtp.MailOptions) error        { return nil }
func (l letters) Rcpt(string, *smtp.RcptOptions) error        { return nil }
func (l letters) Reset()                                      {}
func (l letters) Logout() error                               { return nil }

func (l letters) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	l <- string(text)
	return err
}

func newLetters(t *testing.T) (letters, string) {
	t.Helper()
	l, got := newListener(t), make(letters, 100)
	s := smtp.NewServer(got)
	s.AllowInsecureAuth = true
	go s.Serve(l)
	t.Cleanup(func() { _ = s.Close() })
	return got, l.Addr().String()
}

func newListener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

// hooked is what came to a webhook.
type hooked struct {
	header string
	body   []byte
}

func newHook(t *testing.T) (chan hooked, string) {
	t.Helper()
	got := make(chan hooked, 100)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		got <- hooked{r.Header.Get(notify.HeaderSignature), body}
	}))
	t.Cleanup(s.Close)
	return got, s.URL
}

// awaitNext returns what comes next.
func awaitNext[T any](t *testing.T, got chan T) T {
	t.Helper()
	select {
	case one := <-got:
		return one
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		return *new(T)
	}
}

// awaitEvent returns the next event of a webhook, whose signature holds.
func awaitEvent(t *testing.T, got chan hooked, secret notify.Secret, issuer channel.ID) (e notify.Event) {
	t.Helper()
	d := awaitNext(t, got)
	require.NoError(t, notify.CheckSignature(secret, d.header, d.body, time.Now()))
	require.ErrorIs(t, notify.CheckSignature(secret, d.header, append(d.body, ' '), time.Now()), notify.ErrBadSignature)
	require.NoError(t, json.Unmarshal(d.body, &e))
	assert.Equal(t, issuer, e.Issuer)
	return e
}

// post asks the API as the holder of a key.
func (s *site) post(key, path string, request, answer any) {
	s.t.Helper()
	body, err := json.Marshal(request)
	require.NoError(s.t, err)
	q, err := http.NewRequest("POST", "http://"+s.at+path, bytes.NewReader(body))
	require.NoError(s.t, err)
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Authorization", "Bearer "+key)
	r, err := http.DefaultClient.Do(q)
	require.NoError(s.t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	require.NoError(s.t, err)
	require.Less(s.t, r.StatusCode, 300, "%s", text)
	require.NoError(s.t, json.Unmarshal(text, answer))
}

// cardIn is the card whose URL that is.
func cardIn(t *testing.T, link string) tap.CardID {
	t.Helper()
	u, err := tap.Parse(link)
	require.NoError(t, err)
	return u.ID
}

// onlyIssuer is the installation's.
func (s *site) onlyIssuer() channel.ID {
	s.t.Helper()
	var issuers struct {
		Items []struct{ ID channel.ID }
	}
	r, err := http.Get("http://" + s.at + "/v1/issuers")
	require.NoError(s.t, err)
	defer r.Body.Close()
	require.NoError(s.t, json.NewDecoder(r.Body).Decode(&issuers))
	require.Len(s.t, issuers.Items, 1)
	return issuers.Items[0].ID
}

// setRecipients says who gets mail, in the service's own store.
func (s *site) setRecipients(issuer channel.ID, to string) {
	s.t.Helper()
	n, err := notify.Open(s.t.Context(), filepath.Join(s.data, "notify.db"), notify.Options{Master: channel.Seed{1}, Now: time.Now})
	require.NoError(s.t, err)
	require.NoError(s.t, n.SetRecipients(s.t.Context(), issuer, []string{to}))
	require.NoError(s.t, n.Close())
}

// TestWhatHappensIsTold goes through all that the service tells: what was recorded, strange, reported, and revoked, by itself or by the
// command line beside it.
func TestWhatHappensIsTold(t *testing.T) {
	s := newSite(t)
	cards := s.makeCards(2)
	key := s.makeKey("cards:write")
	hooks := s.makeKey("webhooks:manage")
	mails, relay := newLetters(t)
	got, hook := newHook(t)
	s.start(s.at, "--allow-private-webhooks", "--smtp", "smtp+plain://"+relay, "--mail-from", "productid@example.com", "--alarm-gap", "2")
	issuer := s.onlyIssuer()
	var made wire.NewWebhook
	s.post(hooks, "/v1/issuers/"+issuer.String()+"/webhooks", wire.WebhookRequest{URL: hook}, &made)
	s.setRecipients(issuer, "jo@example.com")

	told := func() notify.Event { return awaitEvent(t, got, notify.Secret(made.Secret), issuer) }
	s.records(cards[0])
	id := cardIn(t, tapped(t, cards[0]))
	first := told()
	assert.Equal(t, notify.TapRecorded, first.Kind)
	assert.Contains(t, string(first.Data), id.String())

	for range 3 {
		tapped(t, cards[0]) // and nobody records it
	}
	s.records(cards[0])
	assert.ElementsMatch(t, []string{notify.TapRecorded, notify.AlarmRaised}, []string{told().Kind, told().Kind})
	assert.Contains(t, awaitNext(t, mails), "jo@example.com")

	r, err := http.PostForm("http://"+s.at+"/report", url.Values{"text": {"copies are sold"}, "card": {id.String()}})
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.Equal(t, 200, r.StatusCode)
	assert.Equal(t, notify.ReportReceived, told().Kind)
	mail := awaitNext(t, mails)
	assert.Contains(t, mail, "jo@example.com")
	assert.NotContains(t, mail, "copies are sold", "what anybody can write is not mailed")

	s.post(key, "/v1/cards/"+id.String()+"/revocation", map[string]string{"reason": "stolen"}, &struct{}{})
	assert.Contains(t, string(told().Data), "stolen")

	other := cardIn(t, tapped(t, cards[1]))
	s.do(nil, "revoke", "card", "--reason", "lost in Milano", "--yes", "--", other.String())
	last := told()
	assert.Equal(t, notify.CardRevoked, last.Kind)
	assert.Equal(t, "revoked-"+other.String(), last.ID)
	assert.Contains(t, string(last.Data), "lost in Milano")
	assert.Empty(t, got)
	assert.Empty(t, mails)
}

// records taps the card, and has the tap recorded.
func (s *site) records(card *cardtest.Card) {
	s.t.Helper()
	code, err := s.ask(s.at, "update", tapped(s.t, card))
	require.NoError(s.t, err)
	require.Equal(s.t, "recorded", code)
}
