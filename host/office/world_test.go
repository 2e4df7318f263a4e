package office_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/audit"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/lifecycle"
	"github.com/productid/productid/host/notify"
	"github.com/productid/productid/host/office"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap/taptest"
)

const (
	origin = "log.example.com/office"
	base   = "http://localhost:8080"
)

// world is an office over real rooms: a log in a SQLite file, a registry of it, and all that is kept beside.
type world struct {
	t         testing.TB
	address   string
	handler   http.Handler
	ledger    *faulty
	authors   *secrets.Authors
	registry  *registry.Registry
	people    *identity.Identity
	products  *product.Products
	settings  *settings.Service
	lifecycle *lifecycle.Service
	alarms    *alarm.Watch
	notices   *notify.Service
	audit     *audit.Log
	bell      issuer
	rival     issuer
	sandbox   channel.ID // none, until a test says which issuer has test cards

	mu  sync.Mutex
	now time.Time
}

// issuer is one with his channel and his cards.
type issuer struct {
	id    channel.ID
	chain *recordtest.Chain
	cards []*taptest.Card
}

// faulty is a log that can be made to answer with an error.
type faulty struct {
	*tlog.Log
	err error
}

func (f *faulty) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	if f.err != nil {
		return ledger.Receipt{}, f.err
	}
	return f.Log.Submit(ctx, m)
}

// dice is randomness that is the same in each run, and that many may draw from.
type dice struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func newDice() *dice { return &dice{r: rand.NewChaCha8(seed("dice"))} }

func (d *dice) Read(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.Read(b)
}

func seed(name string) channel.Seed { return sha256.Sum256([]byte(name)) }

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func newWorld(t testing.TB) *world { return newWorldAt(t, base) }

// newWorldAt is a world that browsers reach under this address.
func newWorldAt(t testing.TB, address string) *world {
	t.Helper()
	w := &world{t: t, address: address, now: time.Date(2026, 11, 24, 10, 42, 0, 0, time.UTC)}
	own := secrets.Secrets{Master: seed("master")}
	for _, name := range []string{"bell", "rival", "fresh"} {
		own.Issuers = append(own.Issuers, secrets.Issuer{Name: name, Seed: seed(name), Taps: seed(name + " taps")})
	}
	w.authors = secrets.NewAuthors(own)
	dir := t.TempDir()
	w.openLedger(dir, own.Master)
	w.bell, w.rival = w.begin("bell", "bell card"), w.begin("rival", "rival card")
	require.NoError(t, w.registry.Sync(t.Context()))
	w.openRooms(dir, own.Master)
	w.handler = w.newHandler()
	return w
}

func (w *world) openLedger(dir string, master channel.Seed) {
	private, _, err := note.GenerateKey(strings.NewReader(strings.Repeat("host/office", 10)), origin)
	require.NoError(w.t, err)
	signer, err := ledger.NewSigner(private)
	require.NoError(w.t, err)
	log, err := tlog.Open(w.t.Context(), filepath.Join(dir, "ledger.db"), tlog.Options{Origin: origin, Signer: signer, Now: w.clock, Create: true})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { assert.NoError(w.t, log.Close()) })
	w.ledger = &faulty{Log: log}
	w.registry, err = registry.Open(w.t.Context(), filepath.Join(dir, "registry.db"), registry.Options{Ledger: w.ledger, Master: master})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { assert.NoError(w.t, w.registry.Close()) })
}

// begin opens an issuer and puts cards of these names into service.
func (w *world) begin(name string, cards ...string) issuer {
	i := issuer{chain: recordtest.ChainOf(seed(name))}
	i.id = i.chain.ID()
	w.tell(i.chain.Say(recordtest.Body(recordtest.Opened(name))))
	for _, card := range cards {
		i.cards = append(i.cards, w.card(i, card))
	}
	return i
}

// card registers a card and puts it into service.
func (w *world) card(i issuer, name string) *taptest.Card {
	return w.cardWith(i, name, func(r *record.CardRegistered) { r.Lot, r.Serial = "L-2026-11", fmt.Sprint("S-", name) })
}

func (w *world) cardWith(i issuer, name string, change func(*record.CardRegistered)) *taptest.Card {
	card := taptest.NewCard(name)
	author, err := w.authors.Taps(i.id, card.ID())
	require.NoError(w.t, err)
	registered := recordtest.Registered(card, i.id, author.Channel())
	change(&registered)
	w.tell(i.chain.Say(recordtest.Body(registered)))
	w.say(card, i, func(uint32) []byte { return recordtest.Body(recordtest.InService(card.Counter)) })
	return card
}

// say writes the next message of a card's tap channel.
func (w *world) say(card *taptest.Card, i issuer, body func(last uint32) []byte) {
	author, err := w.authors.Taps(i.id, card.ID())
	require.NoError(w.t, err)
	draft := channel.Draft{Time: w.clock(), Body: body(card.Counter)}
	head, err := w.ledger.Head(w.t.Context(), author.Channel())
	if err == nil {
		draft.Number, draft.Prev = head.Message.Number()+1, head.Message.Hash()
	} else {
		require.ErrorIs(w.t, err, ledger.ErrNoChannel)
	}
	m, err := author.Sign(draft)
	require.NoError(w.t, err)
	w.tell(m)
}

// tap records a tap of the card, with a payload when there is one.
func (w *world) tap(card *taptest.Card, i issuer, counter uint32, payload string, skipped *record.Range) {
	body := recordtest.Tapped(card, counter)
	body.Skipped = skipped
	if payload != "" {
		body.Payload = json.RawMessage(payload)
	}
	w.say(card, i, func(uint32) []byte { return recordtest.Body(body) })
}

func (w *world) tell(m channel.Message) {
	require.NoError(w.t, w.ledger.List(context.Background(), m.Channel()))
	_, err := ledger.Record(context.Background(), w.ledger, m)
	require.NoError(w.t, err)
}

func (w *world) openRooms(dir string, master channel.Seed) {
	t := w.t
	address, err := url.Parse(w.address)
	require.NoError(t, err)
	at := func(name string) string { return filepath.Join(dir, name+".db") }
	w.people, err = identity.Open(t.Context(), at("identity"), identity.Options{Origin: address, Master: master, Now: w.clock, Random: newDice()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, w.people.Close()) })
	w.products, err = product.Open(t.Context(), at("product"), product.Options{Master: master, Now: w.clock, Random: newDice()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, w.products.Close()) })
	w.notices, err = notify.Open(t.Context(), at("notify"), notify.Options{Master: master, Now: w.clock, Random: newDice()})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, w.notices.Close()) })
	w.alarms, err = alarm.Open(t.Context(), at("alarm"), alarm.Options{Master: master, Publish: w.notices, Now: w.clock})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, w.alarms.Close()) })
	w.audit = audit.New(audit.Options{Ledger: w.ledger, List: w.ledger, Authors: w.authors, Now: w.clock, Random: newDice()})
	w.lifecycle = lifecycle.New(lifecycle.Options{Ledger: w.ledger, List: w.ledger, Registry: w.registry, Authors: w.authors, Now: w.clock})
	w.settings = settings.New(settings.Options{Ledger: w.ledger, List: w.ledger, Registry: w.registry, Authors: w.authors, Now: w.clock, Random: newDice()})
}

func (w *world) newHandler() http.Handler {
	assets, err := page.NewAssets(office.Static())
	require.NoError(w.t, err)
	address, err := url.Parse(w.address)
	require.NoError(w.t, err)
	o, err := office.New(office.Options{Origin: address, People: w.people, Registry: w.registry, Ledger: w.ledger, Settings: w.settings,
		Authors: w.authors, Lifecycle: w.lifecycle, Products: w.products, Alarms: w.alarms, Notices: w.notices, Audit: w.audit,
		Sandbox: func(id channel.ID) bool { return id == w.sandbox },
		Assets:  assets, Now: w.clock, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil))})
	require.NoError(w.t, err)
	mux := http.NewServeMux()
	mux.Handle("/office", w.people.Sessions()(o))
	mux.Handle("/office/", w.people.Sessions()(o))
	mux.Handle("/static/", assets)
	mux.Handle("/image/{hash}", page.Images(w.products, slog.New(slog.DiscardHandler)))
	mux.Handle("POST /test/signin/{person}", w.people.Sessions()(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		p, err := w.people.Person(r.Context(), r.PathValue("person"))
		if err == nil {
			err = w.people.SignIn(r.Context(), p)
		}
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
		}
	})))
	return edge.Handler(mux, edge.Options{Body: office.Body()})
}

// browser is one with its cookies, in a language.
type browser struct {
	w       *world
	lang    string
	cookies map[string]*http.Cookie
}

func (w *world) browser() *browser { return &browser{w, "en", map[string]*http.Cookie{}} }

// as is a browser in which somebody with a role is signed in.
func (w *world) as(name string, roles map[channel.ID]identity.Role) *browser {
	w.t.Helper()
	b := w.browser()
	b.sign(w.person(name, roles))
	return b
}

func (w *world) person(name string, roles map[channel.ID]identity.Role) identity.Person {
	w.t.Helper()
	var p identity.Person
	for issuer, role := range roles {
		v, err := w.people.Invite(w.t.Context(), issuer, role, name, time.Hour)
		require.NoError(w.t, err)
		if p.ID == "" {
			p = w.enrol(newDeviceAt(w.address), v.Token)
		} else {
			p, err = w.people.Accept(w.t.Context(), p.ID, v.Token)
		}
		require.NoError(w.t, err)
	}
	return p
}

// enrol redeems an invitation with a device's passkey.
func (w *world) enrol(d *device, token identity.Secret) identity.Person {
	w.t.Helper()
	options, ceremony, err := w.people.BeginEnrol(w.t.Context(), token)
	require.NoError(w.t, err)
	p, _, err := w.people.FinishEnrol(w.t.Context(), ceremony, d.create(w.t, options))
	require.NoError(w.t, err)
	return p
}

func (b *browser) sign(p identity.Person) {
	r := b.post("/test/signin/"+p.ID, nil)
	require.Equal(b.w.t, http.StatusOK, r.Code, r.Body.String())
}

func (b *browser) get(path string) *httptest.ResponseRecorder {
	return b.send(httptest.NewRequest(http.MethodGet, base+path, nil))
}

func (b *browser) post(path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, base+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.send(r)
}

func (b *browser) send(r *http.Request) *httptest.ResponseRecorder {
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Accept-Language", b.lang)
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	answer := httptest.NewRecorder()
	b.w.handler.ServeHTTP(answer, r)
	for _, c := range answer.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c
	}
	return answer
}

// follow sends a form, wants a redirect, and returns the page that it leads to.
func (b *browser) follow(path string, form url.Values) *httptest.ResponseRecorder {
	b.w.t.Helper()
	answer := b.post(path, form)
	require.Equal(b.w.t, http.StatusSeeOther, answer.Code, answer.Body.String())
	return b.get(answer.Header().Get("Location"))
}

// in is the path of a page of bell's.
func (w *world) in(path string) string { return "/office/i/" + w.bell.id.String() + path }

// acts are what stands on bell's audit channel, the oldest first.
func (w *world) acts() (acts []string) {
	entries, err := w.audit.List(context.Background(), w.bell.id, 0, 1000)
	require.NoError(w.t, err)
	for n := len(entries) - 1; n >= 0; n-- {
		acts = append(acts, entries[n].Act.Act)
	}
	return acts
}

// page is the body of an answer that has to be a page.
func pageOf(t testing.TB, answer *httptest.ResponseRecorder) string {
	t.Helper()
	require.Equal(t, http.StatusOK, answer.Code, answer.Body.String())
	return answer.Body.String()
}
