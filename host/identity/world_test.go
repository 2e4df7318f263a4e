package identity_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/identity"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/channel"
)

var (
	acme    = channel.ID{1}
	bell    = channel.ID{2}
	sandbox = channel.ID{9}
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// locked is a source of randomness that many may draw from.
type locked struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func (l *locked) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(b)
}

// options are those of a test whose service is at origin.
func options(t testing.TB, origin string) (identity.Options, *clock) {
	u, err := url.Parse(origin)
	require.NoError(t, err)
	c := newClock()
	return identity.Options{
		Origin: u, Master: channel.Seed{7}, Now: c.Now, Random: &locked{r: rand.NewChaCha8([32]byte{3})},
		IsTest: func(_ context.Context, issuer channel.ID) bool { return issuer == sandbox },
	}, c
}

func open(t testing.TB, place string, o identity.Options) *identity.Identity {
	t.Helper()
	i, err := identity.Open(context.Background(), place, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, i.Close()) })
	return i
}

// fresh is an empty SQLite file, opened.
func fresh(t testing.TB) (*identity.Identity, *clock) {
	o, c := options(t, "https://id.example.com")
	return open(t, filepath.Join(t.TempDir(), "identity.db"), o), c
}

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, test func(t *testing.T, i *identity.Identity, c *clock)) {
	t.Run("sqlite", func(t *testing.T) {
		i, c := fresh(t)
		test(t, i, c)
	})
	t.Run("postgres", func(t *testing.T) {
		o, c := options(t, "https://id.example.com")
		test(t, open(t, storetest.Postgres(t), o), c)
	})
}

// atOnce runs n calls at the same time and returns their errors.
func atOnce(n int, call func(k int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for k := range n {
		wg.Go(func() { errs[k] = call(k) })
	}
	wg.Wait()
	return errs
}

// none counts how many of the errors are nil, and wants the others to be want.
func none(t *testing.T, errs []error, want error) (n int) {
	t.Helper()
	for _, err := range errs {
		if err == nil {
			n++
			continue
		}
		assert.ErrorIs(t, err, want)
	}
	return n
}

// enter makes somebody with a role.
func enter(t testing.TB, i *identity.Identity, issuer channel.ID, role identity.Role, name string) identity.Person {
	t.Helper()
	v, err := i.Invite(t.Context(), issuer, role, name, time.Hour)
	require.NoError(t, err)
	p, err := i.Admit(t.Context(), v.Token)
	require.NoError(t, err)
	return p
}

// refused reports whether an error says that an answer does not hold.
func refused(err error) bool {
	return errors.Is(err, identity.ErrBadPasskey) || errors.Is(err, identity.ErrUnknownPasskey)
}
