package anchor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/ledger/tlog"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// Keys for tests alone.
const (
	origin    = "log.example/test"
	signerKey = "PRIVATE+KEY+log.example/test+cf44e3f3+AXA0xvsbBSgWEK3CFmdpdP+QEp2sJmdXK9+lkTUKw+az"
	otherName = "witness.example/test"
	otherKey  = "PRIVATE+KEY+witness.example/test+1e9619bc+AaF/U7K/ARjytXH4PV0DYEjPC0wjI/skU7Ds+HHJcf4w"
)

func signer(t testing.TB, key string) ledger.Signer {
	s, err := ledger.NewSigner(key)
	require.NoError(t, err)
	return s
}

func logOptions(t testing.TB) tlog.Options {
	return tlog.Options{Origin: origin, Signer: signer(t, signerKey), Now: time.Now, Create: true}
}

func openLog(t testing.TB, path string, o tlog.Options) *tlog.Log {
	t.Helper()
	l, err := tlog.Open(context.Background(), path, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

// trusts is a verifier who knows both ledgers.
func trusts(t testing.TB) ledger.Policy {
	return ledger.Policy{Logs: []ledger.LogKey{
		{Origin: origin, Key: signer(t, signerKey).VerifierKey()}, {Origin: otherName, Key: signer(t, otherKey).VerifierKey()},
	}}
}

// other is the other ledger, in memory, which fails on demand.
type other struct {
	*ledger.Memory
	mu        sync.Mutex
	fails     error // each call, before anything happens
	lost      error // instead of the answer of the next Submit, which is recorded
	submitted []channel.Message
}

func newOther(t testing.TB) *other {
	return &other{Memory: ledger.NewMemory(otherName, signer(t, otherKey), time.Now)}
}

func (o *other) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fails = err
}

func (o *other) failing() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.fails
}

func (o *other) Head(ctx context.Context, id channel.ID) (ledger.Entry, error) {
	if err := o.failing(); err != nil {
		return ledger.Entry{}, err
	}
	return o.Memory.Head(ctx, id)
}

func (o *other) Submit(ctx context.Context, m channel.Message) (ledger.Receipt, error) {
	if err := o.failing(); err != nil {
		return ledger.Receipt{}, err
	}
	r, err := o.Memory.Submit(ctx, m)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.submitted = append(o.submitted, m)
	if o.lost != nil {
		err, o.lost = o.lost, nil
	}
	return r, err
}

// Close leaves it for the next who opens it.
func (o *other) Close() error { return nil }

var anchorAuthor = channel.NewAuthor(channel.Seed{'a'}, channel.Public)

// options anchor a log in the other ledger; alarms are kept in told.
func options(log *tlog.Log, in Ledger, told *[]error) Options {
	o := Options{Log: log, Author: anchorAuthor, Holder: "one", Now: time.Now, Every: 5 * time.Millisecond,
		Open: func(context.Context) (Ledger, error) { return in, nil }}
	if told != nil {
		o.Report = func(err error) { *told = append(*told, err) }
	}
	return o
}

// write records the next messages of a channel.
func write(t testing.TB, l *tlog.Log, seed byte, words ...string) (last ledger.Receipt) {
	t.Helper()
	a := channel.NewAuthor(channel.Seed{1, seed}, channel.Public)
	require.NoError(t, l.List(t.Context(), a.Channel()))
	d := channel.Draft{Time: time.UnixMilli(1790000000000)}
	if head, err := l.Head(t.Context(), a.Channel()); err == nil {
		d.Number, d.Prev = head.Message.Number()+1, head.Message.Hash()
	}
	for _, text := range words {
		d.Body = fmt.Appendf(nil, `{"kind":"weather","is":%q}`, text)
		m, err := a.Sign(d)
		require.NoError(t, err)
		last, err = l.Submit(t.Context(), m)
		require.NoError(t, err)
		d.Number, d.Prev = d.Number+1, m.Hash()
	}
	return last
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "log.db") }

// copyOf is a copy of a database that nobody has open.
func copyOf(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	to := newPath(t)
	require.NoError(t, os.WriteFile(to, data, 0o600))
	return to
}

// count is how many checkpoints are anchored.
func count(t testing.TB, l ledger.Ledger) int {
	t.Helper()
	entries, err := l.Range(t.Context(), anchorAuthor.Channel(), 0, 1000)
	if err != nil {
		require.ErrorIs(t, err, ledger.ErrNoChannel)
	}
	return len(entries)
}
