package registry_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap/taptest"
)

var master = channel.Seed{7}

const origin = "log.example.com"

// newLedger returns a ledger in memory with a clock of its own.
func newLedger(t require.TestingT) *ledger.Memory {
	key, _, err := note.GenerateKey(rand.NewChaCha8([32]byte{1}), origin)
	require.NoError(t, err)
	signer, err := ledger.NewSigner(key)
	require.NoError(t, err)
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	return ledger.NewMemory(origin, signer, func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(1234 * time.Microsecond)
		return now
	})
}

// world is a ledger and a registry of it.
type world struct {
	t      require.TestingT
	ledger *ledger.Memory
	path   string
	*registry.Registry

	mu    sync.Mutex
	found []registry.Tampered
}

// open opens the registry file at path, as each process does.
func open(t require.TestingT, l ledger.Ledger, path string, report func(registry.Tampered)) *registry.Registry {
	r, err := registry.Open(context.Background(), path, registry.Options{Ledger: l, Master: master, Report: report})
	require.NoError(t, err)
	return r
}

// onBoth runs a test on each kind of database; fresh returns the name of one that has no registry.
func onBoth(t *testing.T, test func(t *testing.T, fresh func(testing.TB) string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, freshFile) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, storetest.Emptied(t)) })
}

func freshFile(t testing.TB) string { return filepath.Join(t.TempDir(), "registry.db") }

func newWorld(t *testing.T, fresh func(testing.TB) string) *world {
	w := &world{t: t, ledger: newLedger(t), path: fresh(t)}
	w.Registry = open(t, w.ledger, w.path, w.report)
	t.Cleanup(func() { require.NoError(t, w.Registry.Close()) })
	return w
}

func (w *world) report(found registry.Tampered) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = append(w.found, found)
}

// named returns what was reported since the last call.
func (w *world) named() []registry.Tampered {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := w.found
	w.found = nil
	return found
}

// tell records a message on the ledger.
func (w *world) tell(m channel.Message) channel.Message {
	tell(w.t, w.ledger, m)
	return m
}

func tell(t require.TestingT, l *ledger.Memory, m channel.Message) {
	require.NoError(t, l.List(context.Background(), m.Channel()))
	_, err := l.Submit(context.Background(), m)
	require.NoError(t, err)
}

func (w *world) sync() { require.NoError(w.t, w.Sync(context.Background())) }

func (w *world) dump() string { return dump(w.t, w.Registry) }

func dump(t require.TestingT, r *registry.Registry) string {
	text, err := r.Dump(context.Background())
	require.NoError(t, err)
	return string(text)
}

// folded is the dump of record.Map over the whole ledger, and how much it ignored.
func folded(t require.TestingT, l ledger.Ledger) (string, uint64) {
	m := record.NewMap()
	err := l.Follow(context.Background(), ledger.Position{}, func(batch []ledger.Entry, _ ledger.Position) error {
		if len(batch) == 0 {
			return ledger.ErrStop
		}
		for _, e := range batch {
			if err := record.Fold(m, e); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
	text, err := m.Dump()
	require.NoError(t, err)
	return string(text), m.Ignored()
}

// life is a card in service with its channel.
type life struct {
	card *taptest.Card
	taps *recordtest.Chain
}

// populate opens an issuer and puts cards into service, each with three taps; every tap has a retry key.
func (w *world) populate(names ...string) (*recordtest.Chain, []life) {
	issuer := recordtest.NewChain("issuer")
	w.tell(issuer.Say(recordtest.Body(recordtest.Opened("issuer"))))
	var lives []life
	for _, name := range names {
		l := life{taptest.NewCard(name), recordtest.NewChain(name)}
		w.tell(issuer.Say(recordtest.Body(recordtest.Registered(l.card, issuer.ID(), l.taps.ID()))))
		w.tell(l.taps.Say(recordtest.Body(recordtest.InService(1))))
		for counter := uint32(2); counter < 5; counter++ {
			w.tell(l.tapped(counter))
		}
		lives = append(lives, l)
	}
	w.sync()
	return issuer, lives
}

func (l life) tapped(counter uint32) channel.Message {
	b := recordtest.Tapped(l.card, counter)
	b.Retry = fmt.Sprintf("key-%d.request", counter)
	return l.taps.Say(recordtest.Body(b))
}
