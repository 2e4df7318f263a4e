package settings_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/host/settings"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

// authors are those of one card.
type authors struct{ taps, settings *channel.Author }

func (a authors) Taps(channel.ID, tap.CardID) (*channel.Author, error)     { return a.taps, nil }
func (a authors) Settings(channel.ID, tap.CardID) (*channel.Author, error) { return a.settings, nil }

// failing ends each submission for a channel with an error, before or after the message is recorded.
type failing struct {
	*ledger.Memory
	mu     sync.Mutex
	of     channel.ID
	err    error
	stored bool
	before func(channel.Message) // of a submission, once
}

func (f *failing) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	f.mu.Lock()
	err, stored, before := f.err, f.stored, f.before
	f.before = nil
	if m.Channel() != f.of {
		err = nil
	}
	f.mu.Unlock()
	if before != nil {
		before(m)
	}
	if err != nil && !stored {
		return ledger.Receipt{}, err
	}
	r, submitErr := f.Memory.Submit(ctx, m)
	return r, errors.Join(err, submitErr)
}

func (f *failing) fail(of channel.ID, err error, stored bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.of, f.err, f.stored = of, err, stored
}

// world is a ledger with one card in service.
type world struct {
	*settings.Service
	t      *testing.T
	ledger *failing
	card   *taptest.Card
	taps   *recordtest.Chain
	keys   authors
}

func newWorld(t *testing.T) *world {
	private, _, err := note.GenerateKey(strings.NewReader(strings.Repeat("settings", 10)), "log.example.com/test")
	require.NoError(t, err)
	signer, err := ledger.NewSigner(private)
	require.NoError(t, err)
	w := &world{
		t: t, card: taptest.NewCard("card"), taps: recordtest.NewChain("taps"),
		ledger: &failing{Memory: ledger.NewMemory("log.example.com/test", signer, time.Now)},
	}
	r, err := registry.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), registry.Options{Ledger: w.ledger, Master: channel.Seed{1}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	w.keys = authors{w.taps.Author, channel.NewAuthor(channel.Seed{7}, channel.Restricted)}
	w.Service = settings.New(settings.Options{Ledger: w.ledger, List: w.ledger, Registry: r, Authors: w.keys, Now: time.Now, Random: rand.Reader})

	issuer := recordtest.NewChain("issuer")
	require.NoError(t, w.ledger.List(t.Context(), issuer.ID(), w.taps.ID()))
	w.record(issuer.Say(recordtest.Body(recordtest.Opened("issuer"))))
	w.record(issuer.Say(recordtest.Body(recordtest.Registered(w.card, issuer.ID(), w.taps.ID()))))
	require.NoError(t, r.Sync(t.Context()))
	return w
}

func inService(t *testing.T) *world {
	w := newWorld(t)
	w.record(w.taps.Say(recordtest.Body(recordtest.InService(3))))
	return w
}

func (w *world) record(m channel.Message) {
	w.t.Helper()
	_, err := ledger.Record(w.t.Context(), w.ledger, m)
	require.NoError(w.t, err)
}

func (w *world) put(address string) settings.Current {
	w.t.Helper()
	c, err := w.Put(w.t.Context(), w.card.ID(), record.Settings{ProductURL: address})
	require.NoError(w.t, err)
	return c
}

func (w *world) current() settings.Current {
	w.t.Helper()
	c, err := w.Current(w.t.Context(), w.card.ID())
	require.NoError(w.t, err)
	return c
}

// read returns the addresses that a capability opens, and how the reading ended.
func (w *world) read(c channel.Capability) (addresses []string, err error) {
	for opened, err := range ledger.Read(w.t.Context(), w.ledger, c, c.From) {
		if err != nil {
			return addresses, err
		}
		s, err := record.ParseSettings(opened.Body)
		require.NoError(w.t, err)
		addresses = append(addresses, s.ProductURL)
	}
	return addresses, nil
}

func (w *world) capability() channel.Capability {
	w.t.Helper()
	c, err := w.Capability(w.t.Context(), w.card.ID())
	require.NoError(w.t, err)
	return c
}

func TestWhatWasPutIsInForce(t *testing.T) {
	w := inService(t)
	assert.Zero(t, w.current())
	first := w.put("https://a.example.com/")
	assert.Equal(t, first, w.current())
	second := w.put("https://b.example.com/")
	assert.Equal(t, second, w.current())
	assert.Equal(t, uint64(1), second.Number)

	head, err := w.ledger.Head(t.Context(), w.taps.ID())
	require.NoError(t, err)
	body, err := head.Message.Body()
	require.NoError(t, err)
	h, err := record.ParseTapHead(body)
	require.NoError(t, err)
	assert.Equal(t, record.TapHead{Kind: record.KindCardConfigured, Last: 3, State: record.StateInService, Settings: second.Hash.String()}, h)
}

func TestOnlyWhoHoldsAKeyReads(t *testing.T) {
	w := inService(t)
	w.put("https://a.example.com/")
	before := w.capability()
	w.put("https://b.example.com/")
	got, err := w.read(before)
	require.NoError(t, err)
	assert.Equal(t, []string{"https://a.example.com/", "https://b.example.com/"}, got)
	got, err = w.read(w.capability())
	require.NoError(t, err)
	assert.Equal(t, []string{"https://b.example.com/"}, got, "nothing before the message in force")

	rotated, err := w.Rotate(t.Context(), w.card.ID())
	require.NoError(t, err)
	assert.Equal(t, rotated, w.current())
	assert.Equal(t, "https://b.example.com/", rotated.ProductURL)
	w.put("https://c.example.com/")
	got, err = w.read(before)
	require.ErrorIs(t, err, channel.ErrCannotOpen)
	assert.Len(t, got, 2, "who was cut off reads no further")
	got, err = w.read(w.keys.settings.Capability(rotated.Number, rotated.KeyStart))
	require.NoError(t, err)
	assert.Equal(t, []string{"https://b.example.com/", "https://c.example.com/"}, got)
	assert.Equal(t, rotated.KeyStart, w.current().KeyStart, "a later change goes on with the keys of the rotation")
}

func TestCardsOutOfServiceAreNotSet(t *testing.T) {
	w := newWorld(t)
	_, err := w.Put(t.Context(), w.card.ID(), record.Settings{})
	require.ErrorIs(t, err, settings.ErrNoService)
	w.record(w.taps.Say(recordtest.Body(recordtest.InService(3))))
	w.record(w.taps.Say([]byte(`{"kind":"card.revoked","last":3,"state":"revoked"}`)))
	_, err = w.Put(t.Context(), w.card.ID(), record.Settings{})
	require.ErrorIs(t, err, settings.ErrNoService)
	_, err = w.ledger.Head(t.Context(), w.keys.settings.Channel())
	require.ErrorIs(t, err, ledger.ErrNoChannel, "nothing was written")
	_, err = w.Put(t.Context(), tap.CardID{1}, record.Settings{})
	require.ErrorIs(t, err, registry.ErrUnknownCard)
	_, err = w.Put(t.Context(), w.card.ID(), record.Settings{ProductURL: "http://plain.example.com/"})
	require.Error(t, err)
}

func TestAChangeThatWasBrokenOffChangesNothing(t *testing.T) {
	for _, stored := range []bool{false, true} {
		w := inService(t)
		first := w.put("https://a.example.com/")
		w.ledger.fail(w.taps.ID(), ledger.ErrUncertain, stored)
		_, err := w.Put(t.Context(), w.card.ID(), record.Settings{ProductURL: "https://b.example.com/"})
		require.ErrorIs(t, err, ledger.ErrUncertain)
		w.ledger.fail(channel.ID{}, nil, false)
		if stored {
			assert.Equal(t, "https://b.example.com/", w.current().ProductURL)
		} else {
			assert.Equal(t, first, w.current(), "a message that no head names is not in force")
		}
		assert.Equal(t, "https://c.example.com/", w.put("https://c.example.com/").ProductURL)
		assert.Equal(t, uint64(2), w.current().Number)
	}
}

// Taps and changes at once: each tap's record repeats the settings before it, no change is lost, and one of the last is in force.
func TestChangesAtOnce(t *testing.T) {
	w := inService(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	done := map[channel.Hash]bool{}
	for i := range 8 {
		wg.Go(func() {
			c, err := w.Put(context.Background(), w.card.ID(), record.Settings{ProductURL: fmt.Sprintf("https://%d.example.com/", i)})
			if err != nil {
				assert.ErrorIs(t, err, settings.ErrOvertaken)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			done[c.Hash] = true
		})
	}
	wg.Wait()
	current := w.current()
	assert.True(t, done[current.Hash])
	assert.Equal(t, uint64(7), current.Number, "the newest is in force")
}

func TestSettingsThatAreGoneAreNamed(t *testing.T) {
	w := inService(t)
	w.record(w.taps.Say(recordtest.Body(recordtest.Configured(3, channel.Hash{9}))))
	_, err := w.Current(t.Context(), w.card.ID())
	require.ErrorIs(t, err, settings.ErrUnreadable)
	_, err = w.Rotate(t.Context(), w.card.ID())
	require.ErrorIs(t, err, settings.ErrUnreadable)
	assert.Equal(t, "https://a.example.com/", w.put("https://a.example.com/").ProductURL, "others can take their place")
}

// TestNoChangeUndoesAnother: what is made of the settings in force is made of those that are in force when it comes in force.
func TestNoChangeUndoesAnother(t *testing.T) {
	login := func(s record.Settings) record.Settings {
		s.LoginRequired = true
		return s
	}
	for name, change := range map[string]func(*world) (settings.Current, error){
		"rotate": func(w *world) (settings.Current, error) { return w.Rotate(t.Context(), w.card.ID()) },
		"change": func(w *world) (settings.Current, error) { return w.Change(t.Context(), w.card.ID(), login) },
	} {
		for _, begun := range []bool{false, true} {
			w := inService(t)
			if begun {
				w.put("https://a.example.com/")
			}
			w.ledger.before = func(channel.Message) { w.put("https://b.example.com/") }
			after, err := change(w)
			require.NoError(t, err, name)
			assert.Equal(t, "https://b.example.com/", after.ProductURL, name)
			assert.Equal(t, name == "change", after.LoginRequired, name)
			assert.Equal(t, after, w.current(), name)
			if name == "rotate" {
				assert.Equal(t, after.Number, after.KeyStart)
			}
		}
	}
}

// TestAnOlderChangeDoesNotComeAfterANewerOne: what was written first and is to be put in force last stays where it is.
func TestAnOlderChangeDoesNotComeAfterANewerOne(t *testing.T) {
	w := inService(t)
	w.ledger.before = func(channel.Message) { // of the older change's first message
		w.ledger.before = func(channel.Message) { w.put("https://newer.example.com/") } // of its second
	}
	_, err := w.Put(t.Context(), w.card.ID(), record.Settings{ProductURL: "https://older.example.com/"})
	require.ErrorIs(t, err, settings.ErrOvertaken)
	assert.Equal(t, "https://newer.example.com/", w.current().ProductURL)
}
