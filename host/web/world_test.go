package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"image"
	"image/color"
	"image/png"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/host/alarm"
	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/edge"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/page"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/redirect"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/bundle"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

const origin = "log.example.com/web"

func seed(name string) channel.Seed { return sha256.Sum256([]byte(name)) }

// slowable is a ledger that can be away, or slow, or take a message and lose the answer.
type slowable struct {
	*tlog.Log
	away, slow, lose atomic.Bool
}

func (l *slowable) Head(ctx context.Context, id channel.ID) (ledger.Entry, error) {
	if l.away.Load() {
		return ledger.Entry{}, ledger.ErrUnavailable
	}
	if l.slow.Load() {
		<-ctx.Done()
		return ledger.Entry{}, ctx.Err()
	}
	return l.Log.Head(ctx, id)
}

func (l *slowable) Range(ctx context.Context, id channel.ID, from uint64, n int) ([]ledger.Entry, error) {
	if l.away.Load() {
		return nil, ledger.ErrUnavailable
	}
	return l.Log.Range(ctx, id, from, n)
}

func (l *slowable) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	r, err := l.Log.Submit(ctx, m)
	if err == nil && l.lose.Load() {
		return ledger.Receipt{}, ledger.ErrUncertain
	}
	return r, err
}

// world is an installation on a log in a file, with one card in service, and the website before it.
type world struct {
	*Site
	t        testing.TB
	now      time.Time
	ledger   *slowable
	authors  *secrets.Authors
	registry *registry.Registry
	settings *settings.Service
	products *product.Products
	watch    *alarm.Watch
	desk     *desk.Desk
	issuer   channel.ID
	chain    *recordtest.Chain
	card     *taptest.Card
	handler  http.Handler // with the edge around it
	actor    identity.Actor
	tooMany  string // the beginning of keys that are at their limit
	test     bool   // the issuer is the sandbox
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, chain: recordtest.ChainOf(seed("issuer")), card: taptest.NewCard("web"), now: time.Date(2026, 11, 24, 10, 42, 0, 0, time.UTC)}
	dir := t.TempDir()
	own := secrets.Secrets{Master: seed("master"), Issuers: []secrets.Issuer{{Name: "Borgo Oil", Seed: seed("issuer"), Taps: seed("taps")}}}
	w.authors, w.issuer = secrets.NewAuthors(own), w.chain.ID()
	w.openLedger(dir)
	var err error
	w.registry, err = registry.Open(t.Context(), filepath.Join(dir, "registry.db"), registry.Options{Ledger: w.ledger, Master: own.Master})
	require.NoError(t, err)
	w.products, err = product.Open(t.Context(), filepath.Join(dir, "product.db"), product.Options{Master: own.Master, Now: w.clock, Random: rand.Reader})
	require.NoError(t, err)
	w.watch, err = alarm.Open(t.Context(), filepath.Join(dir, "alarm.db"), alarm.Options{Master: own.Master, Now: w.clock})
	require.NoError(t, err)
	onward, err := redirect.Open(t.Context(), filepath.Join(dir, "redirect.db"), redirect.Options{Key: seed("redirect"), Issuer: "https://tap.example.com", Now: w.clock, Random: rand.Reader})
	require.NoError(t, err)
	t.Cleanup(func() {
		for _, c := range []interface{ Close() error }{w.registry, w.products, w.watch, onward, w.ledger} {
			assert.NoError(t, c.Close())
		}
	})
	w.settings = settings.New(settings.Options{Ledger: w.ledger, List: w.ledger, Registry: w.registry, Authors: w.authors, Now: w.clock, Random: rand.Reader})
	w.desk = desk.New(desk.Options{
		Validation: validation.New(validation.Options{Ledger: w.ledger, Registry: w.registry, Authors: w.authors, Master: own.Master, Now: w.clock, Random: rand.Reader}),
		Registry:   w.registry, Settings: w.settings, Ledger: w.ledger, Authors: w.authors, Product: w.products, Redirect: onward, Now: w.clock,
		Limit: w.limit, IsTest: func(context.Context, channel.ID) bool { return w.test },
	})
	w.openSite(&url.URL{Scheme: "https", Host: "tap.example.com"})
	w.begin()
	return w
}

func (w *world) clock() time.Time { return w.now }

func (w *world) limit(key string) (time.Duration, bool) {
	return 90 * time.Second, w.tooMany == "" || !strings.HasPrefix(key, w.tooMany)
}

func (w *world) openLedger(dir string) {
	private, _, err := note.GenerateKey(strings.NewReader(strings.Repeat("host/web", 12)), origin)
	require.NoError(w.t, err)
	signer, err := ledger.NewSigner(private)
	require.NoError(w.t, err)
	log, err := tlog.Open(w.t.Context(), filepath.Join(dir, "ledger.db"), tlog.Options{Origin: origin, Signer: signer, Now: w.clock, Create: true})
	require.NoError(w.t, err)
	w.ledger = &slowable{Log: log}
}

// openSite puts the website, and the edge around it, before the installation.
func (w *world) openSite(base *url.URL) {
	assets, err := page.NewAssets()
	require.NoError(w.t, err)
	w.Site, err = New(Options{
		Base: base, Desk: w.desk, Cards: w.registry, Reports: w.watch, Assets: assets, Master: seed("master"),
		Bundle: func(ctx context.Context, id tap.CardID) ([]byte, error) {
			card, err := w.registry.Card(ctx, id)
			if err != nil {
				return nil, err
			}
			return bundle.Make(ctx, w.ledger, card.Issuer, id, bundle.Options{Now: w.clock})
		},
		Limit: w.limit, Now: w.clock, Random: rand.Reader, Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Patience: time.Minute,
	})
	require.NoError(w.t, err)
	mux := http.NewServeMux()
	mux.Handle("/static/", assets)
	mux.Handle("/image/{hash}", page.Images(w.products, w.Log))
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		w.ServeHTTP(rw, r.WithContext(identity.WithActor(r.Context(), w.actor)))
	})
	w.handler = edge.Handler(mux, edge.Options{Secure: base.Scheme == "https", Now: w.clock, Random: same{}})
}

// begin registers the card and puts it into service.
func (w *world) begin() {
	taps := w.taps()
	require.NoError(w.t, w.ledger.List(context.Background(), w.issuer, taps.Channel()))
	opened := recordtest.Opened("Borgo Oil")
	opened.URL = "https://borgo.example.com/"
	w.say(w.chain.Say(recordtest.Body(opened)))
	w.say(w.chain.Say(recordtest.Body(recordtest.Registered(w.card, w.issuer, taps.Channel()))))
	w.sayTaps(recordtest.InService(w.card.Counter))
	require.NoError(w.t, w.registry.Sync(context.Background()))
}

func (w *world) taps() *channel.Author {
	author, err := w.authors.Taps(w.issuer, w.card.ID())
	require.NoError(w.t, err)
	return author
}

func (w *world) say(m channel.Message) {
	w.t.Helper()
	_, err := ledger.Record(context.Background(), w.ledger.Log, m)
	require.NoError(w.t, err)
}

// sayTaps records the next message of the card's tap channel.
func (w *world) sayTaps(body interface{ Encode() ([]byte, error) }) {
	w.t.Helper()
	draft := channel.Draft{Time: w.now, Body: recordtest.Body(body)}
	newest, err := w.ledger.Log.Head(context.Background(), w.taps().Channel())
	if !errors.Is(err, ledger.ErrNoChannel) {
		require.NoError(w.t, err)
		draft.Number, draft.Prev = newest.Message.Number()+1, newest.Message.Hash()
	}
	m, err := w.taps().Sign(draft)
	require.NoError(w.t, err)
	w.say(m)
}

func (w *world) set(s record.Settings) {
	w.t.Helper()
	_, err := w.settings.Put(context.Background(), w.card.ID(), s)
	require.NoError(w.t, err)
}

// sell gives the issuer a face, and the card a product.
func (w *world) sell(atOnce bool) {
	w.t.Helper()
	ctx := context.Background()
	logo, err := w.products.AddImage(ctx, drawing(w.t, 96, 96, color.RGBA{40, 90, 60, 255}))
	require.NoError(w.t, err)
	picture, err := w.products.AddImage(ctx, drawing(w.t, 640, 480, color.RGBA{150, 140, 40, 255}))
	require.NoError(w.t, err)
	require.NoError(w.t, w.products.PutFace(ctx, product.Face{Issuer: w.issuer, Name: "Oleificio Borgo", Website: "https://borgo.example.com/", Support: "+39 06 555 0100", Logo: &logo, Continue: atOnce}))
	p, err := w.products.Put(ctx, product.Product{Issuer: w.issuer, GTIN: "09506000134352", Name: "Extra virgin olive oil, 0.5 l", Picture: &picture, URL: "https://borgo.example.com/oil",
		Text: map[string]string{"en": "Cold pressed from Taggiasca olives, harvest of October 2026.", "it": "Spremuto a freddo da olive taggiasche, raccolto di ottobre 2026."}})
	require.NoError(w.t, err)
	require.NoError(w.t, w.products.Assign(ctx, w.issuer, w.card.ID(), p.ID))
}

// drawing is a picture of a bottle, more or less.
func drawing(t testing.TB, width, height int, ink color.RGBA) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			dx, v := math.Abs(float64(x-width/2))/float64(width), float64(y)/float64(height)
			c := color.RGBA{250, 248, 242, 255}
			if v > .12 && v < .92 && (v < .35 && dx < .05 || v >= .35 && dx < .13) {
				c = ink
			}
			m.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, m))
	return b.Bytes()
}

// questions is a form with a field of each type.
func questions() record.Form {
	return record.Form{
		{Name: "operator", Label: record.Label{"en": "Your station", "it": "La tua postazione"}, Type: record.FieldText, Required: true, MaxLength: 40},
		{Name: "kg", Label: record.Label{"en": "Weight in kg", "it": "Peso in kg"}, Type: record.FieldNumber, Required: true},
		{Name: "phase", Label: record.Label{"en": "Phase", "it": "Fase"}, Type: record.FieldChoice, Options: []string{"harvest", "pressing", "bottling"}},
		{Name: "day", Label: record.Label{"en": "Day", "it": "Giorno"}, Type: record.FieldDate},
		{Name: "checked", Label: record.Label{"en": "Looked over", "it": "Controllato"}, Type: record.FieldCheckbox},
		{Name: "note", Label: record.Label{"en": "Note", "it": "Nota"}, Type: record.FieldText, MaxLength: 500},
	}
}

// recorded returns the taps that the card's channel holds.
func (w *world) recorded() []record.Tap {
	w.t.Helper()
	entries, err := w.ledger.Range(context.Background(), w.taps().Channel(), 0, 1000)
	require.NoError(w.t, err)
	var taps []record.Tap
	for _, e := range entries {
		body, err := e.Message.Body()
		require.NoError(w.t, err)
		r, err := record.Parse(body)
		require.NoError(w.t, err)
		if one, ok := r.Value.(record.Tap); ok {
			taps = append(taps, one)
		}
	}
	return taps
}

// size is how many messages the ledger holds: what looks must not change.
func (w *world) size() uint64 {
	info, err := w.ledger.Info(context.Background())
	require.NoError(w.t, err)
	return info.Size
}

// phone is a browser that keeps cookies and runs no scripts.
type phone struct {
	*world
	cookies  map[string]string
	language string
	header   http.Header
}

func (w *world) phone() *phone {
	return &phone{w, map[string]string{}, "en", http.Header{}}
}

// reply is what came back.
type reply struct {
	*httptest.ResponseRecorder
	text string
}

func (p *phone) send(method, address string, form url.Values) reply {
	p.t.Helper()
	u, err := url.Parse(address)
	require.NoError(p.t, err)
	q := httptest.NewRequest(method, "https://tap.example.com"+u.RequestURI(), strings.NewReader(form.Encode()))
	for name, values := range p.header {
		q.Header[name] = values
	}
	if method == http.MethodPost {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	q.Header.Set("Accept-Language", p.language)
	for name, value := range p.cookies {
		q.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, q)
	for _, c := range w.Result().Cookies() {
		assert.True(p.t, c.HttpOnly && c.Secure && c.Path == "/", c.Name)
		p.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(p.cookies, c.Name)
		}
	}
	return reply{w, w.Body.String()}
}

func (p *phone) get(address string) reply  { return p.send(http.MethodGet, address, nil) }
func (p *phone) head(address string) reply { return p.send(http.MethodHead, address, nil) }

// post sends what the page's form would, with more in it.
func (p *phone) post(address string, more ...string) reply {
	form := url.Values{}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return p.send(http.MethodPost, address, form)
}

// raw returns what a GET of an address gets that is sent as it stands.
func (p *phone) raw(address string) string {
	q := httptest.NewRequest(http.MethodGet, "https://tap.example.com/", nil)
	rest := strings.TrimPrefix(address, "https://tap.example.com")
	path, query, _ := strings.Cut(rest, "?")
	unescaped, err := url.PathUnescape(path)
	require.NoError(p.t, err)
	q.URL.Path, q.URL.RawPath, q.URL.RawQuery, q.RequestURI = unescaped, path, query, rest
	w := httptest.NewRecorder()
	p.ServeHTTP(w, q)
	return w.Body.String()
}
