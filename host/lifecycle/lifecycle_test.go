package lifecycle_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/host/lifecycle"
	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

const origin = "log.example.com/lifecycle"

func seed(name string) channel.Seed { return sha256.Sum256([]byte(name)) }

type book interface {
	ledger.Ledger
	List(ctx context.Context, ids ...channel.ID) error
}

// world is an installation with one issuer.
type world struct {
	*lifecycle.Service
	t          testing.TB
	ledger     book
	registry   *registry.Registry
	authors    *secrets.Authors
	validation *validation.Service
	issuer     *recordtest.Chain
	now        time.Time
	secrets    secrets.Secrets
}

func newWorld(t testing.TB) *world {
	return newWorldOn(t, ledger.NewMemory(origin, signer(t), time.Now), filepath.Join(t.TempDir(), "registry.db"))
}

func signer(t testing.TB) ledger.Signer {
	private, _, err := note.GenerateKey(strings.NewReader(strings.Repeat("host/lifecycle", 10)), origin)
	require.NoError(t, err)
	s, err := ledger.NewSigner(private)
	require.NoError(t, err)
	return s
}

func newWorldOn(t testing.TB, l book, registryName string) *world {
	w := &world{t: t, ledger: l, now: time.Now()}
	w.secrets = secrets.Secrets{Master: seed("master"), Issuers: []secrets.Issuer{{Name: "shop", Seed: seed("shop"), Taps: seed("shop taps")}}}
	w.authors, w.issuer = secrets.NewAuthors(w.secrets), recordtest.ChainOf(seed("shop"))
	var err error
	w.registry, err = registry.Open(t.Context(), registryName, registry.Options{Ledger: l, Master: w.secrets.Master})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.registry.Close()) })
	now := func() time.Time { return w.now }
	w.validation = validation.New(validation.Options{Ledger: l, Registry: w.registry, Authors: w.authors, Master: w.secrets.Master, Now: now, Random: rand.Reader})
	w.Service = lifecycle.New(lifecycle.Options{Ledger: l, List: l, Registry: w.registry, Authors: w.authors, Now: now,
		ListURL: func(id channel.ID) string { return "https://tap.example.com/status/" + id.String() }})
	require.NoError(t, l.List(t.Context(), w.issuer.ID()))
	w.say(w.issuer.Say(recordtest.Body(recordtest.Opened("shop"))))
	return w
}

// BenchmarkStatusList makes the list of an issuer with 2000 cards, all of whose rows are read and checked.
func BenchmarkStatusList(b *testing.B) {
	w := newWorld(b)
	for i := range 2000 {
		c := taptest.NewCard(fmt.Sprint("card ", i))
		w.say(w.issuer.Say(recordtest.Body(recordtest.Registered(c, w.issuer.ID(), w.taps(c).Channel()))))
	}
	require.NoError(b, w.registry.Sync(b.Context()))
	for b.Loop() {
		w.now = w.now.Add(time.Hour)
		_, err := w.StatusList(b.Context(), w.issuer.ID())
		require.NoError(b, err)
	}
}

func (w *world) say(m channel.Message) {
	w.t.Helper()
	_, err := ledger.Record(context.Background(), w.ledger, m)
	require.NoError(w.t, err)
}

func (w *world) taps(c *taptest.Card) *channel.Author {
	author, err := w.authors.Taps(w.issuer.ID(), c.ID())
	require.NoError(w.t, err)
	return author
}

// register lists a card, which is not in service yet.
func (w *world) register(name string) *taptest.Card {
	c := taptest.NewCard(name)
	require.NoError(w.t, w.ledger.List(context.Background(), w.taps(c).Channel()))
	w.say(w.issuer.Say(recordtest.Body(recordtest.Registered(c, w.issuer.ID(), w.taps(c).Channel()))))
	require.NoError(w.t, w.registry.Sync(context.Background()))
	return c
}

func (w *world) inService(name string) *taptest.Card {
	c := w.register(name)
	m, err := w.taps(c).Sign(channel.Draft{Time: w.now, Body: recordtest.Body(recordtest.InService(c.Counter))})
	require.NoError(w.t, err)
	w.say(m)
	return c
}

// card is what the ledger says of it by now.
func (w *world) card(c *taptest.Card) record.Card {
	w.t.Helper()
	require.NoError(w.t, w.registry.Sync(context.Background()))
	card, err := w.registry.Card(context.Background(), c.ID())
	require.NoError(w.t, err)
	return card
}

func TestARevokedCardIsRefused(t *testing.T) {
	w := newWorld(t)
	c := w.inService("card")
	url := c.Tap()
	var told []any
	w.Revoked = func(_ context.Context, card record.Card, reason string, at time.Time) {
		told = append(told, card.ID, card.Issuer, reason, at)
	}
	r, err := w.Revoke(t.Context(), c.ID(), "stolen in Milano", "anna-id")
	require.NoError(t, err)
	assert.Equal(t, []any{c.ID(), w.issuer.ID(), "stolen in Milano", r.Time}, told)
	assert.Equal(t, ledger.Final, r.Phase)
	v, err := w.validation.Update(t.Context(), validation.Request{URL: url})
	require.NoError(t, err)
	assert.Equal(t, validation.Revoked, v.Code)
	card := w.card(c)
	assert.Equal(t, record.StateRevoked, card.State)
	assert.Equal(t, "stolen in Milano", card.Reason)
	assert.Equal(t, r.Time.UnixMilli(), card.Revoked.UnixMilli())

	for _, again := range []error{second(w.Revoke(t.Context(), c.ID(), "twice", "")), second(w.Associate(t.Context(), c.ID(), "lock 7", "")), second(w.Revocation(t.Context(), c.ID(), "twice", ""))} {
		assert.ErrorIs(t, again, lifecycle.ErrRevoked)
	}
	rejections, err := w.registry.Rejections(t.Context())
	require.NoError(t, err)
	assert.Empty(t, rejections)
}

func second[T any](_ T, err error) error { return err }

// Of a revocation and many taps at once each tap is either recorded before it or refused, on both kinds of database.
func TestARevocationRacesWithTaps(t *testing.T) {
	dir := t.TempDir()
	for name, place := range map[string]func(*testing.T) (string, string){
		"sqlite": func(*testing.T) (string, string) {
			return filepath.Join(dir, "ledger.db"), filepath.Join(dir, "registry.db")
		},
		"postgres": func(t *testing.T) (string, string) {
			url := storetest.Postgres(t)
			return url, url
		},
	} {
		t.Run(name, func(t *testing.T) {
			ledgerName, registryName := place(t)
			l, err := tlog.Open(t.Context(), ledgerName, tlog.Options{Origin: origin, Signer: signer(t), Now: time.Now, Create: true})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, l.Close()) })
			w := newWorldOn(t, l, registryName)
			for round := range 5 {
				w.race(fmt.Sprint("card ", round))
			}
			rejections, err := w.registry.Rejections(t.Context())
			require.NoError(t, err)
			assert.Empty(t, rejections, "whatever was written holds")
		})
	}
}

func (w *world) race(name string) {
	c := w.inService(name)
	var all sync.WaitGroup
	var mu sync.Mutex
	codes := map[validation.Code]int{}
	for range 20 {
		url := c.Tap()
		all.Go(func() {
			v, err := w.validation.Update(context.Background(), validation.Request{URL: url})
			assert.NoError(w.t, err)
			mu.Lock()
			defer mu.Unlock()
			codes[v.Code]++
		})
	}
	var revoked int
	for range 3 {
		all.Go(func() {
			_, err := w.Revoke(context.Background(), c.ID(), "lost", "")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				revoked++
				return
			}
			assert.ErrorIs(w.t, err, lifecycle.ErrRevoked)
		})
	}
	all.Wait()
	card := w.card(c)
	assert.Equal(w.t, record.StateRevoked, card.State)
	assert.GreaterOrEqual(w.t, revoked, 1)
	assert.Equal(w.t, uint64(codes[validation.Recorded]), card.Recorded)
	assert.Equal(w.t, 20, codes[validation.Recorded]+codes[validation.Revoked]+codes[validation.Superseded], "%v", codes)
	v, err := w.validation.Update(context.Background(), validation.Request{URL: c.Tap()})
	assert.NoError(w.t, err)
	assert.Equal(w.t, validation.Revoked, v.Code)
}

func TestTheDeviceOfACard(t *testing.T) {
	w := newWorld(t)
	c := w.inService("card")
	_, err := w.Associate(t.Context(), c.ID(), "lock 7", "anna-id")
	require.NoError(t, err)
	assert.Equal(t, "lock 7", w.card(c).Device)
	_, err = w.Associate(t.Context(), c.ID(), "", "anna-id")
	require.NoError(t, err)
	assert.Empty(t, w.card(c).Device)
	assert.Equal(t, record.StateInService, w.card(c).State)
}

func TestChangesThatAreRefused(t *testing.T) {
	w := newWorld(t)
	c := w.inService("card")
	for _, text := range []string{"", strings.Repeat("x", lifecycle.MaxText+1), "a\nb", "\xff", "a\x7f"} {
		_, err := w.Revoke(t.Context(), c.ID(), text, "")
		assert.ErrorIs(t, err, lifecycle.ErrBadText, "%q", text)
	}
	_, err := w.Associate(t.Context(), c.ID(), "a\nb", "")
	assert.ErrorIs(t, err, lifecycle.ErrBadText)
	_, err = w.Revoke(t.Context(), tap.CardID{1}, "lost", "")
	assert.ErrorIs(t, err, registry.ErrUnknownCard)
	_, err = w.Revoke(t.Context(), w.register("not yet").ID(), "lost", "")
	assert.ErrorIs(t, err, lifecycle.ErrNotInService)

	stranger := lifecycle.New(lifecycle.Options{Ledger: w.ledger, List: w.ledger, Registry: w.registry, Authors: secrets.NewAuthors(secrets.Secrets{}), Now: time.Now})
	_, err = stranger.Revoke(t.Context(), c.ID(), "lost", "")
	assert.ErrorIs(t, err, secrets.ErrElsewhere)
	assert.Equal(t, record.StateInService, w.card(c).State)

	require.NoError(t, w.ledger.Close())
	_, err = w.Revoke(t.Context(), c.ID(), "lost", "")
	assert.ErrorIs(t, err, ledger.ErrUnavailable)
}

func TestAMovedCardIsChangedWhereItLives(t *testing.T) {
	w := newWorld(t)
	c := w.inService("card")
	head, err := w.ledger.Head(t.Context(), w.taps(c).Channel())
	require.NoError(t, err)
	m, err := w.taps(c).Sign(channel.Draft{Number: 1, Prev: head.Message.Hash(), Time: w.now,
		Body: recordtest.Body(record.ChannelMoved{Last: 1, State: record.StateMoved, To: "log.example.org", Was: record.StateInService})})
	require.NoError(t, err)
	w.say(m)
	_, err = w.Revoke(t.Context(), c.ID(), "lost", "")
	assert.ErrorIs(t, err, lifecycle.ErrMoved)
}

// A card whose history was lost is carried over to the channel that succeeds its issuer's; it can be revoked before anybody sees it again.
func TestACardWhoseHistoryWasLostIsRevoked(t *testing.T) {
	w := newWorld(t)
	old, heir, c := recordtest.NewChain("old"), recordtest.ChainOf(seed("heir")), taptest.NewCard("lost")
	w.authors.Add(secrets.Issuer{Name: "heir", Seed: seed("heir"), Taps: seed("heir taps"), Generation: 1})
	id := heir.ID()
	opened := recordtest.Opened("old")
	opened.Next = sha256.Sum256(id[:])
	opening := old.Say(recordtest.Body(opened)) // both stand on the ledger that was lost
	registration := old.Say(recordtest.Body(recordtest.Registered(c, old.ID(), recordtest.NewChain("old taps").ID())))

	require.NoError(t, w.ledger.List(t.Context(), id))
	w.say(heir.Say(recordtest.Body(record.IssuerSucceeded{Name: "heir", Log: origin, Previous: old.ID(), Opening: opening.Bytes(), Reason: record.HistoryLost, Since: 1})))
	taps, err := w.authors.Taps(id, c.ID())
	require.NoError(t, err)
	w.say(heir.Say(recordtest.Body(record.CardCarried{Registration: registration.Bytes(), Taps: taps.Channel(), Last: 7})))
	require.Equal(t, record.StateLost, w.card(c).State)

	_, err = w.Associate(t.Context(), c.ID(), "lock 7", "")
	assert.ErrorIs(t, err, lifecycle.ErrNotInService)
	_, err = w.Revoke(t.Context(), c.ID(), "lost with its history", "")
	require.NoError(t, err)
	assert.Equal(t, record.StateRevoked, w.card(c).State)
	rejections, err := w.registry.Rejections(t.Context())
	require.NoError(t, err)
	assert.Empty(t, rejections)
	token, err := w.StatusList(t.Context(), id)
	require.NoError(t, err)
	assert.Equal(t, []int{1}, open(t, token, id).set())
}
