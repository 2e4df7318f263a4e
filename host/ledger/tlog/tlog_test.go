package tlog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/ledger/ledgertest"
)

const (
	origin    = "log.example/test"
	signerKey = "PRIVATE+KEY+log.example/test+cf44e3f3+AXA0xvsbBSgWEK3CFmdpdP+QEp2sJmdXK9+lkTUKw+az" // for tests alone
)

func options(t testing.TB) Options {
	signer, err := ledger.NewSigner(signerKey)
	require.NoError(t, err)
	return Options{Origin: origin, Signer: signer, Now: time.Now, Create: true}
}

func policy(t testing.TB) ledger.Policy {
	return ledger.Policy{Logs: []ledger.LogKey{{Origin: origin, Key: options(t).Signer.VerifierKey()}}}
}

func openWith(t testing.TB, path string, o Options) *Log {
	t.Helper()
	l, err := Open(context.Background(), path, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

func openAt(t testing.TB, path string) *Log {
	t.Helper()
	return openWith(t, path, options(t))
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "log.db") }

// onBoth runs a test on each kind of database; fresh returns the name of one that has no log.
func onBoth(t *testing.T, test func(t *testing.T, fresh func(testing.TB) string)) {
	t.Run("SQLite", func(t *testing.T) { test(t, newPath) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, storetest.Emptied(t)) })
}

// author returns the author of a public channel, always the same for a number.
func author(n int) *channel.Author {
	return channel.NewAuthor(channel.Seed{byte(n), byte(n >> 8), 1}, channel.Public)
}

func sign(t testing.TB, a *channel.Author, n uint64, prev channel.Hash, body string) channel.Message {
	t.Helper()
	m, err := a.Sign(channel.Draft{Number: n, Prev: prev, Time: time.UnixMilli(1790000000000), Body: []byte(body)})
	require.NoError(t, err)
	return m
}

// write lists a channel and records its first n messages.
func write(t testing.TB, l *Log, a *channel.Author, n int) []channel.Message {
	t.Helper()
	require.NoError(t, l.List(t.Context(), a.Channel()))
	var messages []channel.Message
	var prev channel.Hash
	for i := range n {
		m := sign(t, a, uint64(i), prev, fmt.Sprintf("message %d", i))
		_, err := l.Submit(t.Context(), m)
		require.NoError(t, err)
		messages, prev = append(messages, m), m.Hash()
	}
	return messages
}

func requireClean(t testing.TB, l *Log) Report {
	t.Helper()
	r, err := l.Check(context.Background(), nil) // also after the test's own context
	require.NoError(t, err)
	require.Empty(t, r.Findings)
	require.True(t, r.Clean())
	return r
}

// failing is a log whose clock and whose answers fail on demand.
type failing struct {
	*Log
	mu        sync.Mutex
	lost      bool
	armed     bool // the next Submit is to lose its answer
	answering func()
}

// now is past the last time that a log can have, once after fail(Lost).
func (f *failing) now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lost {
		f.lost = false
		return time.UnixMilli(channel.MaxUnixMilli + 1)
	}
	return time.Now()
}

func (f *failing) fail(_ *testing.T, how ledgertest.Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lost, f.armed = how == ledgertest.Lost, how == ledgertest.Stored
}

// hook ends the context of the submission whose answer is to be lost, after its
// commit and before its answer.
func (f *failing) hook(point string) {
	f.mu.Lock()
	answering := f.answering
	f.mu.Unlock()
	if point == store.PointCommitted && answering != nil {
		answering()
	}
}

func (f *failing) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	f.mu.Lock()
	if !f.armed {
		f.mu.Unlock()
		return f.Log.Submit(ctx, m)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	returned := make(chan struct{})
	defer close(returned)
	f.armed = false
	f.answering = func() {
		_, err := f.Await(context.Background(), ledger.Receipt{Channel: m.Channel(), Number: m.Number(), Hash: m.Hash()}, ledger.Final)
		if err != nil {
			return // of another batch
		}
		cancel()
		<-returned
		f.mu.Lock()
		defer f.mu.Unlock()
		f.answering = nil
	}
	f.mu.Unlock()
	return f.Log.Submit(ctx, m)
}

func under(t *testing.T, path string) ledgertest.Under {
	f := &failing{}
	o := options(t)
	o.Now, o.Hook = f.now, f.hook
	f.Log = openWith(t, path, o)
	return ledgertest.Under{
		Ledger:  f,
		List:    f.List,
		Policy:  policy(t),
		Another: func(t *testing.T) ledger.Ledger { return openAt(t, path) },
		Reopen:  func(t *testing.T) ledgertest.Under { return under(t, path) },
		Fail:    f.fail,
	}
}

func TestContract(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(testing.TB) string) {
		ledgertest.Run(t, ledgertest.Backend{Open: func(t *testing.T) ledgertest.Under {
			path := fresh(t)
			t.Cleanup(func() { requireClean(t, openAt(t, path)) })
			return under(t, path)
		}})
	})
}

func TestOpenMakesNoLogUnasked(t *testing.T) {
	onBoth(t, func(t *testing.T, fresh func(testing.TB) string) {
		path, o := fresh(t), options(t)
		o.Create = false
		for range 2 { // the first made nothing
			_, err := Open(t.Context(), path, o)
			assert.ErrorIs(t, err, ErrMissing)
		}
		assert.NoFileExists(t, path)
	})
}

func TestDatabaseBelongsToOneLog(t *testing.T) { onBoth(t, belongsToOneLog) }

func belongsToOneLog(t *testing.T, fresh func(testing.TB) string) {
	path := fresh(t)
	write(t, openAt(t, path), author(1), 2)
	other := options(t)
	other.Origin = "log.example/other"
	_, err := Open(t.Context(), path, other)
	assert.ErrorIs(t, err, ErrOtherLog)
	other = options(t)
	key, _, err := note.GenerateKey(rand.Reader, origin)
	require.NoError(t, err)
	other.Signer, err = ledger.NewSigner(key)
	require.NoError(t, err)
	_, err = Open(t.Context(), path, other)
	assert.ErrorIs(t, err, ErrOtherLog)
}

func TestTimeNeverGoesBack(t *testing.T) { onBoth(t, timeNeverGoesBack) }

func timeNeverGoesBack(t *testing.T, fresh func(testing.TB) string) {
	o := options(t)
	clock := time.UnixMilli(1790000000000)
	o.Now = func() time.Time { clock = clock.Add(-time.Hour); return clock }
	path := fresh(t)
	l := openWith(t, path, o)
	write(t, l, author(1), 3)
	l = openWith(t, path, o) // the last time is read from the file
	write(t, l, author(2), 3)
	entries, err := l.after(t.Context(), ledger.Position{})
	require.NoError(t, err)
	for _, e := range entries {
		assert.Equal(t, entries[0].Time, e.Time)
	}
	requireClean(t, l)
}

func TestErrorsOfTheStoreInTheLedgersWords(t *testing.T) {
	disk := errors.New("disk is full")
	for _, row := range []struct {
		name      string
		err       error
		want      error
		uncertain bool
	}{
		{"commit failed", fmt.Errorf("%w: %w", store.ErrUncertain, disk), ledger.ErrUncertain, true},
		{"left while it was written", fmt.Errorf("%w: %w", store.ErrUncertain, context.Canceled), ledger.ErrUncertain, true},
		{"writer stopped", fmt.Errorf("%w: %w", store.ErrNotWritten, store.ErrBroken), ledger.ErrUnavailable, false},
		{"rolled back", fmt.Errorf("%w: %w", store.ErrNotWritten, disk), ledger.ErrUnavailable, false},
		{"left in time", fmt.Errorf("%w: %w", store.ErrNotWritten, context.Canceled), context.Canceled, false},
		{"refused", ledger.ErrNotListed, ledger.ErrNotListed, false},
	} {
		err := outcome(row.err)
		assert.ErrorIs(t, err, row.want, row.name)
		assert.ErrorIs(t, err, row.err, row.name)
		assert.Equal(t, row.uncertain, errors.Is(err, ledger.ErrUncertain), row.name)
	}
	assert.NoError(t, outcome(nil))
}

func TestConsistencyOfAllSizes(t *testing.T) {
	const size = 21
	l := openAt(t, newPath(t))
	require.NoError(t, l.List(t.Context(), author(1).Channel()))
	roots := make([]merkle.Hash, 0, size+1)
	var prev channel.Hash
	for n := uint64(0); ; n++ {
		text, err := l.Checkpoint(t.Context())
		require.NoError(t, err)
		c, err := ledger.ParseCheckpoint(text, origin, l.verifier)
		require.NoError(t, err)
		require.Equal(t, n, c.Size)
		roots = append(roots, c.Root)
		if n == size {
			break
		}
		m := sign(t, author(1), n, prev, "body")
		_, err = l.Submit(t.Context(), m)
		require.NoError(t, err)
		prev = m.Hash()
	}
	for newer := range roots {
		for older := range newer + 1 {
			proof, err := l.Consistency(t.Context(), uint64(older), uint64(newer))
			require.NoError(t, err)
			if older > 0 {
				require.NoError(t, merkle.CheckTree(proof, int64(newer), roots[newer], int64(older), roots[older]))
			}
		}
	}
	for _, sizes := range [][2]uint64{{2, 1}, {0, size + 1}, {1, 1 << 63}} {
		_, err := l.Consistency(t.Context(), sizes[0], sizes[1])
		assert.ErrorIs(t, err, ledger.ErrNoPosition)
	}
}

func TestFollowSeesItsOwnMessagesAndThoseOfOthers(t *testing.T) { onBoth(t, followSees) }

func followSees(t *testing.T, fresh func(testing.TB) string) {
	path := fresh(t)
	l, other := openAt(t, path), openAt(t, path)
	messages := write(t, other, author(1), 1)
	next := sign(t, author(1), 1, messages[0].Hash(), "next")
	last := sign(t, author(1), 2, next.Hash(), "last")
	waits, errs := 0, make(chan error, 2)
	var got []channel.Hash
	err := l.Follow(t.Context(), ledger.Position{}, func(entries []ledger.Entry, _ ledger.Position) error {
		for _, e := range entries {
			got = append(got, e.Message.Hash())
		}
		if len(entries) > 0 {
			return nil
		}
		waits++
		submit := func(by *Log, m channel.Message) { _, err := by.Submit(t.Context(), m); errs <- err }
		switch waits {
		case 1:
			go submit(other, next)
		case 2:
			go submit(l, last)
		default:
			return ledger.ErrStop
		}
		return nil
	})
	require.NoError(t, errors.Join(err, <-errs, <-errs))
	assert.Equal(t, []channel.Hash{messages[0].Hash(), next.Hash(), last.Hash()}, got)
}
