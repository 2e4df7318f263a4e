package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/api"
	"github.com/productid/productid/host/api/wire"
	"github.com/productid/productid/host/audit"
	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/lifecycle"
	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/redirect"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/sandbox"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

const (
	origin = "log.example.com/api"
	base   = "https://tap.example.com"
)

// world is a service with two issuers and the sandbox, each with one card in service.
type world struct {
	t           testing.TB
	handler     http.Handler
	api         *api.API
	ledger      *faulty
	authors     *secrets.Authors
	registry    *registry.Registry
	identity    *identity.Identity
	redirect    *redirect.Service
	audit       *audit.Log
	alarms      *alarm.Watch
	notices     *notify.Service
	products    *product.Products
	conformance *conformance
	stale       bool                     // whoever is signed in has been so for a while
	stopped     map[string]time.Duration // what limits are reached
	policy      ledger.Policy
	bell        issuer
	other       issuer
	sandbox     issuer
	people      map[string]identity.Actor // by what they send as Test-Session
	now         time.Time
}

// issuer is one with a card.
type issuer struct {
	id    channel.ID
	card  *taptest.Card
	chain *recordtest.Chain
}

// faulty is a ledger whose Submit can be made to fail, before or after the message is stored.
type faulty struct {
	*ledger.Memory
	mu            sync.Mutex
	before, after error
}

func (f *faulty) fail(before, after error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

func (f *faulty) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	f.mu.Lock()
	before, after := f.before, f.after
	f.mu.Unlock()
	if before != nil {
		return ledger.Receipt{}, before
	}
	r, err := f.Memory.Submit(ctx, m)
	if err == nil && after != nil {
		return ledger.Receipt{}, after
	}
	return r, err
}

func newWorld(t testing.TB) *world {
	t.Helper()
	private, public, err := note.GenerateKey(strings.NewReader(strings.Repeat("host/api", 10)), origin)
	require.NoError(t, err)
	signer, err := ledger.NewSigner(private)
	require.NoError(t, err)
	w := &world{t: t, now: time.Now(), ledger: &faulty{Memory: ledger.NewMemory(origin, signer, time.Now)},
		policy: ledger.Policy{Logs: []ledger.LogKey{{Origin: origin, Key: public}}}}
	own := secrets.Secrets{Master: seed("master")}
	for _, name := range []string{"bell", "other", "sandbox"} {
		own.Issuers = append(own.Issuers, secrets.Issuer{Name: name, Seed: seed(name), Taps: seed(name + " taps"), Sandbox: name == "sandbox"})
	}
	w.authors = secrets.NewAuthors(own)
	dir := t.TempDir()
	w.registry, err = registry.Open(t.Context(), filepath.Join(dir, "registry.db"), registry.Options{Ledger: w.ledger, Master: own.Master})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.registry.Close()) })
	w.bell, w.other, w.sandbox = w.begin("bell"), w.begin("other"), w.begin("sandbox")
	w.open(dir, own)
	return w
}

func seed(name string) channel.Seed { return sha256.Sum256([]byte(name)) }

// begin opens an issuer and puts a card of his into service.
func (w *world) begin(name string) issuer {
	of := issuer{chain: recordtest.ChainOf(seed(name))}
	of.id = of.chain.ID()
	require.NoError(w.t, w.ledger.List(w.t.Context(), of.id))
	w.say(of.chain.Say(recordtest.Body(recordtest.Opened(name))))
	of.card = w.addCard(of, "card of "+name)
	return of
}

// addCard registers a card and puts it into service.
func (w *world) addCard(of issuer, name string) *taptest.Card {
	card := taptest.NewCard(name)
	author, err := w.authors.Taps(of.id, card.ID())
	require.NoError(w.t, err)
	require.NoError(w.t, w.ledger.List(w.t.Context(), author.Channel()))
	w.say(of.chain.Say(recordtest.Body(recordtest.Registered(card, of.id, author.Channel()))))
	first, err := author.Sign(channel.Draft{Time: time.Now(), Body: recordtest.Body(recordtest.InService(card.Counter))})
	require.NoError(w.t, err)
	w.say(first)
	require.NoError(w.t, w.registry.Sync(w.t.Context()))
	return card
}

func (w *world) say(m channel.Message) {
	_, err := ledger.Record(w.t.Context(), w.ledger, m)
	require.NoError(w.t, err)
}

// open opens the rooms and the API over them.
func (w *world) open(dir string, own secrets.Secrets) {
	t, authors, now := w.t, w.authors, func() time.Time { return w.now }
	address, err := url.Parse(base)
	require.NoError(t, err)
	w.identity, err = identity.Open(t.Context(), filepath.Join(dir, "identity.db"), identity.Options{
		Origin: address, Master: own.Master, Now: now,
		IsTest: func(_ context.Context, issuer channel.ID) bool { return issuer == w.sandbox.id },
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.identity.Close()) })
	w.redirect, err = redirect.Open(t.Context(), filepath.Join(dir, "redirect.db"), redirect.Options{Key: seed("redirect"), Issuer: base, Now: now, Random: rand.Reader})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.redirect.Close()) })
	w.audit = audit.New(audit.Options{Ledger: w.ledger, List: w.ledger, Authors: authors, Now: now, Random: rand.Reader})
	set := settings.New(settings.Options{Ledger: w.ledger, List: w.ledger, Registry: w.registry, Authors: authors, Now: now, Random: rand.Reader})
	decide := validation.New(validation.Options{Ledger: w.ledger, Registry: w.registry, Authors: authors, Master: own.Master, Now: now, Random: rand.Reader})
	w.notices, err = notify.Open(t.Context(), filepath.Join(dir, "notify.db"), notify.Options{Master: own.Master, Now: now, Random: rand.Reader})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.notices.Close()) })
	w.alarms, err = alarm.Open(t.Context(), filepath.Join(dir, "alarm.db"), alarm.Options{Master: own.Master, Publish: w.notices, Now: now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.alarms.Close()) })
	w.products, err = product.Open(t.Context(), filepath.Join(dir, "product.db"), product.Options{Master: own.Master, Now: now, Random: rand.Reader})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.products.Close()) })
	template, err := tap.PlainTemplate(base + "/t")
	require.NoError(t, err)
	soft, err := sandbox.Open(t.Context(), filepath.Join(dir, "sandbox.db"), sandbox.Options{
		Ledger: w.ledger, List: w.ledger, Registry: w.registry, Authors: authors, Safe: safe{own}, Template: template, Now: now, Random: rand.Reader,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, soft.Close()) })
	d := desk.New(desk.Options{
		Validation: decide, Registry: w.registry, Settings: set, Ledger: w.ledger, Authors: authors, Product: w.products, Redirect: w.redirect,
		IsTest: soft.IsTest, Now: now,
		Observe: func(ctx context.Context, o desk.Observation) error {
			return w.alarms.Observe(ctx, alarm.Observation{Card: o.Card, Network: o.Network, Time: o.Time, Channel: o.Channel,
				Verdict: alarm.Verdict{Code: string(o.Verdict.Code), Counter: o.Verdict.Counter, Skipped: o.Verdict.Skipped, Replayed: o.Verdict.Replayed}})
		},
	})
	w.api = api.New(api.Options{Base: address, Now: now, Limit: w.limit, Rooms: api.Rooms{
		Desk: d, Ledger: w.ledger, Registry: w.registry, Settings: set, Audit: w.audit, Keys: keys{w.identity, w}, Redirect: w.redirect,
		Faces: w.products, Sandbox: soft, Alarms: w.alarms, Webhooks: unsent{w.notices},
		Lifecycle: lifecycle.New(lifecycle.Options{Ledger: w.ledger, List: w.ledger, Registry: w.registry, Authors: authors, Now: now, Revoked: w.alarms.Revoked,
			ListURL: func(id channel.ID) string { return base + "/v1/issuers/" + id.String() + "/status-list" }}),
		Bundle: func(context.Context, tap.CardID) ([]byte, error) { return []byte("{}"), nil },
	}})
	w.conformance = newConformance(t, w.api.OpenAPI())
	w.handler = edge.Handler(http.HandlerFunc(w.withSession), edge.Options{Problem: w.api.Refuse})
}

// withSession stands for identity's sessions: it puts into the context who is signed in.
func (w *world) withSession(rw http.ResponseWriter, r *http.Request) {
	if person, ok := w.people[r.Header.Get("Test-Session")]; ok {
		r = r.WithContext(identity.WithActor(r.Context(), person))
	}
	w.api.ServeHTTP(rw, r)
}

// limit lets everything through, but for the keys that a test has stopped.
func (w *world) limit(key string) (time.Duration, bool) {
	wait, stopped := w.stopped[key]
	return wait, !stopped
}

// safe holds secrets that do not change.
type safe struct{ secrets.Secrets }

func (s safe) Load() (secrets.Secrets, error) { return s.Secrets, nil }

func (s safe) Change(change func(*secrets.Secrets) error) (secrets.Secrets, error) {
	return s.Secrets, change(&s.Secrets)
}

// keys are identity's.
type keys struct {
	*identity.Identity
	w *world
}

// Fresh stands for when somebody signed in.
func (k keys) Fresh(context.Context) bool { return !k.w.stale }

// unsent sends nothing into the world.
type unsent struct{ *notify.Service }

func (u unsent) TestEndpoint(ctx context.Context, issuer channel.ID, id string) (notify.Delivery, error) {
	all, err := u.Endpoints(ctx, issuer)
	if !slices.ContainsFunc(all, func(e notify.Endpoint) bool { return e.ID == id }) {
		return notify.Delivery{}, errors.Join(err, notify.ErrUnknownEndpoint)
	}
	return notify.Delivery{Event: notify.Event{ID: "test-1", Kind: notify.Test, Issuer: issuer, Time: u.Now(), Data: []byte("{}")}, Target: id, State: notify.GivenUp, Attempts: 1, Error: "nobody there"}, nil
}

// key makes an API key for an issuer.
func (w *world) key(of issuer, scopes ...identity.Scope) string {
	w.t.Helper()
	_, token, err := w.identity.CreateKey(w.t.Context(), identity.KeyOrder{Issuer: of.id, Name: "test", Scopes: scopes, Test: of.id == w.sandbox.id, By: "somebody"})
	require.NoError(w.t, err)
	return string(token)
}

// ask sends a request and returns the answer; body is JSON, or nil.
func (w *world) ask(method, path, key string, body any, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	var text io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		require.NoError(w.t, err)
		text = bytes.NewReader(encoded)
	}
	r := httptest.NewRequest(method, base+path, text)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	w.conformance.check(w.t, method, path, answer)
	return answer
}

// decode reads an answer that has this status.
func decode[T any](t *testing.T, answer *httptest.ResponseRecorder, status int) T {
	t.Helper()
	var v T
	require.Equal(t, status, answer.Code, answer.Body.String())
	require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &v), answer.Body.String())
	return v
}

// refused reads an answer that is this problem.
func refused(t *testing.T, answer *httptest.ResponseRecorder, status int, code string) wire.Problem {
	t.Helper()
	p := decode[wire.Problem](t, answer, status)
	require.Equal(t, wire.MediaProblem, answer.Header().Get("Content-Type"))
	require.Equal(t, code, p.Code, answer.Body.String())
	require.Equal(t, status, p.Status)
	require.Equal(t, base+"/problems/"+code, p.Type)
	require.NotEmpty(t, p.Title)
	return p
}

func update(url string) wire.TapRequest {
	return wire.TapRequest{URL: url, Action: wire.ActionUpdate}
}

func look(url string) wire.TapRequest {
	return wire.TapRequest{URL: url, Action: wire.ActionValidate}
}
