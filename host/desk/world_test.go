package desk_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/host/desk"
	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/product"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/gs1"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

const origin = "log.example.com/desk"

func seed(name string) channel.Seed { return sha256.Sum256([]byte(name)) }

// book is a ledger that admits channels.
type book interface {
	ledger.Ledger
	List(ctx context.Context, ids ...channel.ID) error
}

// faulty is a ledger that does something before a submission, once.
type faulty struct {
	book
	mu     sync.Mutex
	before func(channel.Message)
}

func (f *faulty) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	f.mu.Lock()
	before := f.before
	f.before = nil
	f.mu.Unlock()
	if before != nil {
		before(m)
	}
	return f.book.Submit(ctx, m)
}

// world is an installation with one card in service, and a desk for it.
type world struct {
	*desk.Desk
	t        testing.TB
	o        desk.Options
	ledger   *faulty
	authors  *secrets.Authors
	policy   ledger.Policy
	issuer   channel.ID
	chain    *recordtest.Chain
	card     *taptest.Card
	settings *settings.Service
	now      time.Time
	observed []desk.Observation
	products products
}

func newWorld(t *testing.T) *world {
	signer, policy := logKeys(t)
	return newWorldOn(t, ledger.NewMemory(origin, signer, time.Now), policy, filepath.Join(t.TempDir(), "registry.db"))
}

func logKeys(t testing.TB) (ledger.Signer, ledger.Policy) {
	private, public, err := note.GenerateKey(strings.NewReader(strings.Repeat("host/desk", 10)), origin)
	require.NoError(t, err)
	signer, err := ledger.NewSigner(private)
	require.NoError(t, err)
	return signer, ledger.Policy{Logs: []ledger.LogKey{{Origin: origin, Key: public}}}
}

// onBoth runs a test on the embedded log and registry in files, and in a PostgreSQL database.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	run := func(name string, place func(t *testing.T, file string) string) {
		t.Run(name, func(t *testing.T) {
			signer, policy := logKeys(t)
			l, err := tlog.Open(t.Context(), place(t, "ledger.db"), tlog.Options{Origin: origin, Signer: signer, Now: time.Now, Create: true})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, l.Close()) })
			test(t, newWorldOn(t, l, policy, place(t, "registry.db")))
		})
	}
	dir := t.TempDir()
	run("sqlite", func(_ *testing.T, file string) string { return filepath.Join(dir, file) })
	var url string
	run("postgres", func(t *testing.T, _ string) string {
		if url == "" {
			url = storetest.Postgres(t)
		}
		return url
	})
}

func newWorldOn(t testing.TB, l book, policy ledger.Policy, registryName string) *world {
	w := &world{t: t, policy: policy, ledger: &faulty{book: l}, chain: recordtest.ChainOf(seedOf("shop")), card: taptest.NewCard("desk"), now: time.Now()}
	own := secrets.Secrets{Master: seed("master"), Issuers: []secrets.Issuer{{Name: "shop", Seed: seedOf("shop"), Taps: seed("shop taps")}}}
	w.authors, w.issuer = secrets.NewAuthors(own), w.chain.ID()
	r, err := registry.Open(t.Context(), registryName, registry.Options{Ledger: w.ledger, Master: own.Master})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	now := func() time.Time { return w.now }
	w.settings = settings.New(settings.Options{Ledger: w.ledger, List: w.ledger, Registry: r, Authors: w.authors, Now: now, Random: rand.Reader})
	w.products = products{}
	w.o = desk.Options{
		Validation: validation.New(validation.Options{Ledger: w.ledger, Registry: r, Authors: w.authors, Master: own.Master, Now: now, Random: rand.Reader}),
		Registry:   r, Settings: w.settings, Ledger: w.ledger, Authors: w.authors, Now: now, Product: w.products, Redirect: redirects{},
		Observe: func(_ context.Context, o desk.Observation) error {
			w.observed = append(w.observed, o)
			return nil
		},
	}
	w.Desk = desk.New(w.o)
	w.begin()
	return w
}

func seedOf(issuer string) channel.Seed { return seed(issuer + " itself") }

// begin registers the card and puts it in service.
func (w *world) begin() {
	taps := w.tapsAuthor(w.card)
	require.NoError(w.t, w.ledger.List(w.t.Context(), w.issuer, taps.Channel()))
	w.say(w.chain.Say(recordtest.Body(recordtest.Opened("shop"))))
	w.say(w.chain.Say(recordtest.Body(recordtest.Registered(w.card, w.issuer, taps.Channel()))))
	w.sayTaps(recordtest.InService(w.card.Counter))
	require.NoError(w.t, w.o.Registry.Sync(w.t.Context()))
}

func (w *world) tapsAuthor(c *taptest.Card) *channel.Author {
	author, err := w.authors.Taps(w.issuer, c.ID())
	require.NoError(w.t, err)
	return author
}

func (w *world) say(m channel.Message) {
	w.t.Helper()
	_, err := ledger.Record(context.Background(), w.ledger.book, m)
	require.NoError(w.t, err)
}

// sayTaps records the next message of the card's tap channel.
func (w *world) sayTaps(body interface{ Encode() ([]byte, error) }) {
	w.t.Helper()
	author := w.tapsAuthor(w.card)
	draft := channel.Draft{Time: w.now, Body: recordtest.Body(body)}
	newest, err := w.ledger.Head(context.Background(), author.Channel())
	if !errors.Is(err, ledger.ErrNoChannel) {
		require.NoError(w.t, err)
		draft.Number, draft.Prev = newest.Message.Number()+1, newest.Message.Hash()
	}
	m, err := author.Sign(draft)
	require.NoError(w.t, err)
	w.say(m)
}

// set puts settings in force.
func (w *world) set(s record.Settings) {
	w.t.Helper()
	_, err := w.settings.Put(context.Background(), w.card.ID(), s)
	require.NoError(w.t, err)
}

func (w *world) look(url string, c desk.Caller) desk.Finding {
	w.t.Helper()
	f, err := w.Look(context.Background(), url, c)
	require.NoError(w.t, err)
	return f
}

func (w *world) record(r desk.Request, c desk.Caller) desk.Finding {
	w.t.Helper()
	f, err := w.Record(context.Background(), r, c)
	require.NoError(w.t, err)
	return f
}

// recorded returns the taps that the card's channel holds.
func (w *world) recorded() []record.Tap {
	w.t.Helper()
	entries, err := w.ledger.Range(context.Background(), w.tapsAuthor(w.card).Channel(), 0, 1000)
	require.NoError(w.t, err)
	var taps []record.Tap
	for _, e := range entries {
		body, err := e.Message.Body()
		require.NoError(w.t, err)
		r, err := record.Parse(body)
		require.NoError(w.t, err)
		if t, ok := r.Value.(record.Tap); ok {
			taps = append(taps, t)
		}
	}
	return taps
}

var web = desk.Caller{Channel: desk.ChannelWeb, Network: "192.0.2.0/24"}

// anna has signed in.
func (w *world) anna(scopes ...identity.Scope) desk.Caller {
	c := web
	c.Actor = identity.NewActor(identity.Human, "anna-id", "Anna", map[channel.ID][]identity.Scope{w.issuer: scopes})
	return c
}

// machine is somebody with an API key of an issuer.
func machine(issuer channel.ID, scopes ...identity.Scope) desk.Caller {
	return desk.Caller{Channel: desk.ChannelAPI, Actor: identity.NewActor(identity.Machine, "key-id", "", map[channel.ID][]identity.Scope{issuer: scopes})}
}

// form asks for a weight and, perhaps, a note.
func form() record.Form {
	return record.Form{
		{Name: "kg", Label: record.Label{"": "Weight"}, Type: record.FieldNumber, Required: true},
		{Name: "note", Label: record.Label{"": "Note"}, Type: record.FieldText},
	}
}

// products is what issuers show: of each card one product, by its GTIN; an error under ""; and under "only" the one host that product
// pages may be on.
type products map[string]product.Product

func (p products) Face(_ context.Context, issuer channel.ID) (product.Face, error) {
	if _, fails := p[""]; fails {
		return product.Face{}, errors.New("disk full")
	}
	face := product.Face{Issuer: issuer, Website: "https://shop.example.com/"}
	if only, set := p["only"]; set {
		face.Hosts = []string{only.Name}
	}
	return face, nil
}

func (p products) Of(_ context.Context, c record.Card) (product.Product, bool, error) {
	one, found := p[c.GTIN]
	return one, found, nil
}

func (p products) ByGTIN(_ context.Context, gtin gs1.GTIN) ([]product.Product, error) {
	if _, fails := p[""]; fails {
		return nil, errors.New("disk full")
	}
	var all []product.Product
	for _, one := range p {
		if one.GTIN == string(gtin) {
			all = append(all, one)
		}
	}
	return all, nil
}

// redirects put a token that anybody could make.
type redirects struct{}

func (redirects) Issue(_ context.Context, target *url.URL, _ tap.CardID, _ uint32) (*url.URL, error) {
	u := *target
	u.RawQuery = "productid=token"
	return &u, nil
}
