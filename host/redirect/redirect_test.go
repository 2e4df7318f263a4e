package redirect

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/store"
	"github.com/productid/productid/host/store/storetest"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

const issuer = "https://tap.example.com"

// envChild names the database that this test binary, started again, verifies a token in, and envToken the token.
const (
	envChild = "REDIRECT_TEST_PATH"
	envToken = "REDIRECT_TEST_TOKEN"
)

func TestMain(m *testing.M) {
	if os.Getenv(envChild) == "" {
		os.Exit(m.Run())
	}
	hook := func(point string) {
		if point == store.PointCommitted {
			runtime.LockOSThread()
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	s, err := Open(context.Background(), os.Getenv(envChild), options(time.Now, hook))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, err = s.Verify(context.Background(), os.Getenv(envToken), "https://shop.example")
	fmt.Println(err)
}

func options(now func() time.Time, hook func(string)) Options {
	return Options{Key: channel.Seed{1, 2, 3}, Issuer: issuer, Now: now, Random: rand.Reader, Hook: hook}
}

// clock is a time that a test moves.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.at.Store(time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func openAt(t testing.TB, place string, now func() time.Time) *Service {
	t.Helper()
	s, err := Open(t.Context(), place, options(now, nil))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func open(t testing.TB) (*Service, *clock) {
	c := newClock()
	return openAt(t, filepath.Join(t.TempDir(), "redirect.db"), c.now), c
}

// places are the two kinds of databases.
func places(t *testing.T, test func(t *testing.T, place string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "redirect.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, storetest.Postgres(t)) })
}

var card = tap.CardID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}

func issue(t testing.TB, s *Service, target string) (*url.URL, string) {
	t.Helper()
	u, err := url.Parse(target)
	require.NoError(t, err)
	to, err := s.Issue(t.Context(), u, card, 42)
	require.NoError(t, err)
	return to, to.Query().Get(Parameter)
}

func TestTokenIsAcceptedOnce(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		c := newClock()
		s := openAt(t, place, c.now)
		_, token := issue(t, s, "https://shop.example/p/1")
		got, err := s.Verify(t.Context(), token, "https://shop.example")
		require.NoError(t, err)
		assert.Equal(t, Claims{
			Issuer: issuer, Audience: "https://shop.example", Card: card, Counter: 42,
			Issued: c.now(), Expires: c.now().Add(Lifetime), ID: got.ID,
		}, got)
		_, err = s.Verify(t.Context(), token, "https://shop.example")
		assert.ErrorIs(t, err, ErrUsedToken)
		again := openAt(t, place, c.now)
		_, err = again.Verify(t.Context(), token, "https://shop.example")
		assert.ErrorIs(t, err, ErrUsedToken, "nor by another process")
	})
}

func TestOfFiftyAtOnceOneIsAccepted(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		c := newClock()
		services := []*Service{openAt(t, place, c.now), openAt(t, place, c.now)}
		_, token := issue(t, services[0], "https://shop.example/p/1")
		var accepted, refused atomic.Int32
		var all sync.WaitGroup
		for n := range 50 {
			all.Go(func() {
				_, err := services[n%2].Verify(t.Context(), token, "https://shop.example")
				switch {
				case err == nil:
					accepted.Add(1)
				case errors.Is(err, ErrUsedToken):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		assert.Equal(t, int32(1), accepted.Load())
		assert.Equal(t, int32(49), refused.Load())
	})
}

// Killed between the commit and the answer, it accepts the token no second time.
func TestKilledAfterTheUseItIsUsed(t *testing.T) {
	place := filepath.Join(t.TempDir(), "redirect.db")
	s := openAt(t, place, time.Now)
	_, token := issue(t, s, "https://shop.example/")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"="+place, envToken+"="+token)
	out, err := cmd.Output()
	require.ErrorContains(t, err, "signal: killed")
	assert.Empty(t, out, "nobody was answered")
	_, err = s.Verify(t.Context(), token, "https://shop.example")
	assert.ErrorIs(t, err, ErrUsedToken)
}

func TestTokenIsForOneSite(t *testing.T) {
	s, _ := open(t)
	_, token := issue(t, s, "https://Shop.Example:443/p/1")
	for _, other := range []string{
		"", "https://", "https://other.example", "http://shop.example", "https://shop.example:8443", "https://shop.example/p", "shop.example",
		"https://shop.example.evil.example", "https://user@shop.example", "https://shop.example?x", "https://shop.example#x", "https://shop.example\r\n",
	} {
		_, err := s.Verify(t.Context(), token, other)
		assert.ErrorIs(t, err, ErrOtherAudience, "%q", other)
	}
	got, err := s.Verify(t.Context(), token, "HTTPS://shop.example:443")
	require.NoError(t, err, "none of these used it up")
	assert.Equal(t, "https://shop.example", got.Audience)
}

func TestTokenLastsAMinute(t *testing.T) {
	s, c := open(t)
	_, first := issue(t, s, "https://shop.example/")
	_, second := issue(t, s, "https://shop.example/")
	c.advance(Lifetime + Tolerance)
	_, err := s.Verify(t.Context(), first, "https://shop.example")
	require.NoError(t, err)
	c.advance(time.Second)
	_, err = s.Verify(t.Context(), second, "https://shop.example")
	assert.ErrorIs(t, err, ErrExpiredToken)
	c.advance(-Lifetime - 2*Tolerance - 2*time.Second)
	_, err = s.Verify(t.Context(), second, "https://shop.example")
	assert.ErrorIs(t, err, ErrBadToken, "it is from the future")
}

// A used token stays refused by processes whose clock is minutes behind, and is forgotten in the end.
func TestUsedTokensAreForgotten(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		c := newClock()
		s := openAt(t, place, c.now)
		rows := func() (n int) {
			require.NoError(t, s.db.Read().QueryRowContext(t.Context(), "SELECT count(*) FROM used").Scan(&n))
			return n
		}
		verify := func() {
			_, token := issue(t, s, "https://shop.example/")
			_, err := s.Verify(t.Context(), token, "https://shop.example")
			require.NoError(t, err)
		}
		for range 10 {
			verify()
		}
		c.advance(Lifetime + kept)
		verify()
		assert.Equal(t, 11, rows())
		c.advance(time.Second)
		for range 5 {
			verify()
		}
		assert.Equal(t, 6, rows(), "of what expired long ago nothing is left")
	})
}

func TestKeySetHoldsThePublicKeyAlone(t *testing.T) {
	s, _ := open(t)
	assert.JSONEq(t, fmt.Sprintf(`{"keys":[{"use":"sig","kty":"OKP","kid":%q,"crv":"Ed25519","alg":"EdDSA","x":%q}]}`, s.keyID, tokenBase64(s.public)), string(s.JWKS()))
}
