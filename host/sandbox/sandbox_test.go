package sandbox_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/sandbox"
	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/host/validation"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

const origin = "log.example.com/sandbox"

// faulty is a ledger that fails after so many submissions.
type faulty struct {
	*ledger.Memory
	mu   sync.Mutex
	left int // -1: without end
}

func (f *faulty) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	f.mu.Lock()
	f.left--
	failed := f.left == -1
	if failed {
		f.left = 0
	}
	f.mu.Unlock()
	if failed {
		return ledger.Receipt{}, ledger.ErrUnavailable
	}
	return f.Memory.Submit(ctx, m)
}

// world is an installation with one issuer of real cards.
type world struct {
	*sandbox.Sandbox
	ledger     *faulty
	registry   *registry.Registry
	validation *validation.Service
	safe       secrets.Safe
	real       channel.ID
}

// newWorld opens an installation in a folder, and its sandbox in a database.
func newWorld(t *testing.T, dir, name string, l *faulty) *world {
	w := &world{ledger: l, safe: secrets.Safe{Dir: dir}}
	all, err := w.safe.Load()
	if err != nil {
		all, err = secrets.New(origin, "real", "", rand.Reader, time.Now())
		require.NoError(t, err)
		require.NoError(t, w.safe.Create(all))
	}
	w.real = all.Issuers[0].Author().Channel()
	authors := secrets.NewAuthors(all)
	w.registry, err = registry.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), registry.Options{Ledger: l, Master: all.Master})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.registry.Close()) })
	w.validation = validation.New(validation.Options{Ledger: l, Registry: w.registry, Authors: authors, Master: all.Master, Now: time.Now, Random: rand.Reader})
	template, err := tap.PlainTemplate("https://tap.example.com/t")
	require.NoError(t, err)
	w.Sandbox, err = sandbox.Open(t.Context(), name, sandbox.Options{
		Ledger: l, List: l, Registry: w.registry, Authors: authors, Safe: w.safe, Template: template, Now: time.Now, Random: rand.Reader,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Sandbox.Close()) })
	return w
}

func newLedger(t *testing.T) *faulty {
	private, _, err := note.GenerateKey(strings.NewReader(strings.Repeat("host/sandbox", 10)), origin)
	require.NoError(t, err)
	signer, err := ledger.NewSigner(private)
	require.NoError(t, err)
	return &faulty{Memory: ledger.NewMemory(origin, signer, time.Now), left: 1 << 30}
}

func (w *world) update(t *testing.T, url string) validation.Verdict {
	v, err := w.validation.Update(t.Context(), validation.Request{URL: url})
	require.NoError(t, err)
	return v
}

// onBoth runs a test on a file and on a PostgreSQL database.
func onBoth(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) {
		dir := t.TempDir()
		test(t, newWorld(t, dir, filepath.Join(dir, "sandbox.db"), newLedger(t)))
	})
	t.Run("postgres", func(t *testing.T) { test(t, newWorld(t, t.TempDir(), storetest.Postgres(t), newLedger(t))) })
}

func TestATestCardIsACardLikeAnyOther(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		c, err := w.Create(t.Context(), "my first")
		require.NoError(t, err)
		url, err := w.Tap(t.Context(), c.ID)
		require.NoError(t, err)
		v := w.update(t, url)
		assert.Equal(t, validation.Recorded, v.Code)
		assert.Equal(t, uint32(2), v.Counter)
		assert.Equal(t, validation.AlreadyUsed, w.update(t, url).Code)
		assert.True(t, w.IsTest(t.Context(), v.Card.Issuer))
		assert.False(t, w.IsTest(t.Context(), w.real))

		cards, err := w.Cards(t.Context())
		require.NoError(t, err)
		require.Len(t, cards, 1)
		assert.Equal(t, "my first", cards[0].Name)
		assert.Equal(t, uint32(2), cards[0].Counter)
		issuer, err := w.registry.Issuer(t.Context(), v.Card.Issuer)
		require.NoError(t, err)
		assert.Contains(t, issuer.Name, "test cards")
		rejections, err := w.registry.Rejections(t.Context())
		require.NoError(t, err)
		assert.Empty(t, rejections)
	})
}

func TestNoCounterIsGivenTwice(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		c, err := w.Create(t.Context(), "")
		require.NoError(t, err)
		var all sync.WaitGroup
		var mu sync.Mutex
		seen := map[uint32]bool{}
		for range 40 {
			all.Go(func() {
				url, err := w.Tap(context.Background(), c.ID)
				assert.NoError(t, err)
				u, err := tap.Parse(url)
				assert.NoError(t, err)
				mu.Lock()
				defer mu.Unlock()
				assert.False(t, seen[u.Counter])
				seen[u.Counter] = true
			})
		}
		all.Wait()
		assert.Len(t, seen, 40)
		assert.True(t, seen[2] && seen[41])
	})
}

// Two processes begin the sandbox at once, each with its own view of the secrets and of the ledger.
func TestThereIsOneSandbox(t *testing.T) {
	dir, l := t.TempDir(), newLedger(t)
	a, b := newWorld(t, dir, filepath.Join(dir, "sandbox.db"), l), newWorld(t, dir, filepath.Join(dir, "sandbox.db"), l)
	var all sync.WaitGroup
	var ids [2]channel.ID
	for i, w := range []*world{a, b} {
		all.Go(func() {
			var err error
			ids[i], err = w.Issuer(context.Background())
			assert.NoError(t, err)
		})
	}
	all.Wait()
	assert.Equal(t, ids[0], ids[1])
	stored, err := a.safe.Load()
	require.NoError(t, err)
	assert.Len(t, stored.Issuers, 2)
	assert.False(t, stored.Issuers[0].Sandbox)

	c, err := a.Create(t.Context(), "of a")
	require.NoError(t, err)
	url, err := b.Tap(t.Context(), c.ID)
	require.NoError(t, err)
	assert.Equal(t, validation.Recorded, b.update(t, url).Code)
}

// A process that has never begun the sandbox knows its cards for what they are.
func TestAnotherProcessKnowsTestCards(t *testing.T) {
	dir, l := t.TempDir(), newLedger(t)
	a, b := newWorld(t, dir, filepath.Join(dir, "sandbox.db"), l), newWorld(t, dir, filepath.Join(dir, "sandbox.db"), l)
	assert.False(t, b.IsTest(t.Context(), b.real))
	id, err := a.Issuer(t.Context())
	require.NoError(t, err)
	assert.True(t, b.IsTest(t.Context(), id))
	assert.False(t, b.IsTest(t.Context(), channel.ID{9}))
}

// Whatever message the making is broken off before, the next tap finishes it.
func TestACardThatWasBrokenOffIsFinished(t *testing.T) {
	for left := range 3 { // the issuer's opening, the registration, the first message of the tap channel
		dir, l := t.TempDir(), newLedger(t)
		w := newWorld(t, dir, filepath.Join(dir, "sandbox.db"), l)
		l.left = left
		_, err := w.Create(t.Context(), "cut off")
		require.ErrorIs(t, err, ledger.ErrUnavailable)
		l.left = 1 << 30
		cards, err := w.Cards(t.Context())
		require.NoError(t, err)
		require.Len(t, cards, 1)
		url, err := w.Tap(t.Context(), cards[0].ID)
		require.NoError(t, err)
		assert.Equal(t, validation.Recorded, w.update(t, url).Code)
		require.NoError(t, w.registry.Sync(t.Context()))
		card, err := w.registry.Card(t.Context(), cards[0].ID)
		require.NoError(t, err)
		assert.Equal(t, record.StateInService, card.State)
	}
}

func TestWhatTheSandboxRefuses(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, dir, filepath.Join(dir, "sandbox.db"), newLedger(t))
	_, err := w.Tap(t.Context(), tap.CardID(sha256.New().Sum(nil)[:12]))
	assert.ErrorIs(t, err, sandbox.ErrUnknown)
	for _, name := range []string{strings.Repeat("x", 101), "a\nb", "\xff"} {
		_, err = w.Create(t.Context(), name)
		assert.ErrorIs(t, err, sandbox.ErrBadName)
	}
	cards, err := w.Cards(t.Context())
	require.NoError(t, err)
	assert.Empty(t, cards)
}

// unreadable is a folder whose secrets cannot be read.
type unreadable struct{ secrets.Safe }

func (unreadable) Load() (secrets.Secrets, error) {
	return secrets.Secrets{}, errors.New("disk on fire")
}

func TestACardThatMayBeATestCardIsOne(t *testing.T) {
	dir := t.TempDir()
	l := newLedger(t)
	w := newWorld(t, dir, filepath.Join(dir, "sandbox.db"), l)
	w.Safe = unreadable{}
	assert.True(t, w.IsTest(t.Context(), w.real))
	w.Safe = w.safe
	assert.False(t, w.IsTest(t.Context(), w.real), "it is asked again")
}
