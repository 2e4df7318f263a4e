package secrets_test

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/tap"
)

func cardID(n uint32) (id tap.CardID) {
	binary.BigEndian.PutUint32(id[:], n)
	return id
}

// twoIssuers is an installation that serves Acme and Bell.
func twoIssuers(t *testing.T) (s secrets.Secrets, acme, bell channel.ID) {
	s = fresh(t, 5)
	second, err := secrets.NewIssuer("Bell", "", rand.NewChaCha8([32]byte{6}), made)
	require.NoError(t, err)
	s.Issuers = append(s.Issuers, second)
	return s, s.Issuers[0].Author().Channel(), second.Author().Channel()
}

// TestChannelsAreNamedAsTheFormatSays: docs/formats/channel.md, seeds of a service.
func TestChannelsAreNamedAsTheFormatSays(t *testing.T) {
	s, acme, _ := twoIssuers(t)
	a, id := secrets.NewAuthors(s), cardID(7)
	taps, err := a.Taps(acme, id)
	require.NoError(t, err)
	assert.Equal(t, channel.Public, taps.Mode())
	want := channel.DeriveSeed(s.Issuers[0].Taps, 0, "card/"+id.String()+"/taps")
	assert.Equal(t, channel.NewAuthor(want, channel.Public).Channel(), taps.Channel())
	settings, err := a.Settings(acme, id)
	require.NoError(t, err)
	assert.Equal(t, channel.Restricted, settings.Mode())
	want = channel.DeriveSeed(s.Issuers[0].Taps, 0, "card/"+id.String()+"/settings")
	assert.Equal(t, channel.NewAuthor(want, channel.Restricted).Channel(), settings.Channel())
	audit, err := a.Audit(acme)
	require.NoError(t, err)
	assert.Equal(t, channel.Restricted, audit.Mode())
	want = channel.DeriveSeed(s.Issuers[0].Taps, 0, "audit")
	assert.Equal(t, channel.NewAuthor(want, channel.Restricted).Channel(), audit.Channel())
	want = channel.DeriveSeed(s.Master, 0, "log/log.example.com/anchor")
	assert.Equal(t, channel.NewAuthor(want, channel.Public).Channel(), s.Anchor("log.example.com").Channel())
	own, err := a.Issuer(acme)
	require.NoError(t, err)
	assert.Equal(t, acme, own.Channel())
}

func TestIssuersShareNoChannel(t *testing.T) {
	s, acme, bell := twoIssuers(t)
	a := secrets.NewAuthors(s)
	seen := map[channel.ID]bool{acme: true, bell: true}
	for _, issuer := range []channel.ID{acme, bell} {
		audit := func(issuer channel.ID, _ tap.CardID) (*channel.Author, error) { return a.Audit(issuer) }
		for _, ask := range []func(channel.ID, tap.CardID) (*channel.Author, error){a.Taps, a.Settings, audit} {
			author, err := ask(issuer, cardID(1))
			require.NoError(t, err)
			assert.False(t, seen[author.Channel()])
			seen[author.Channel()] = true
		}
	}
	alone := s
	alone.Issuers = s.Issuers[1:]
	handedOver, err := secrets.NewAuthors(alone).Taps(bell, cardID(1))
	require.NoError(t, err)
	kept, err := a.Taps(bell, cardID(1))
	require.NoError(t, err)
	assert.Equal(t, kept.Channel(), handedOver.Channel(), "one issuer's secrets are enough for its cards")
	for _, ask := range []func(channel.ID, tap.CardID) (*channel.Author, error){
		secrets.NewAuthors(alone).Taps, secrets.NewAuthors(alone).Settings,
		func(id channel.ID, _ tap.CardID) (*channel.Author, error) {
			return secrets.NewAuthors(alone).Issuer(id)
		},
		func(id channel.ID, _ tap.CardID) (*channel.Author, error) {
			return secrets.NewAuthors(alone).Audit(id)
		},
	} {
		_, err := ask(acme, cardID(1))
		assert.ErrorIs(t, err, secrets.ErrElsewhere)
	}
}

// TestWhoSignedLatelyIsFound: a ledger that needs a message's author after it was signed asks for it by its channel.
func TestWhoSignedLatelyIsFound(t *testing.T) {
	s, acme, bell := twoIssuers(t)
	a := secrets.NewAuthors(s)
	for _, issuer := range []channel.ID{acme, bell} {
		found, here := a.Of(issuer)
		require.True(t, here)
		assert.Equal(t, issuer, found.Channel())
	}
	_, here := a.Of(channel.ID{1})
	assert.False(t, here)
	const many, lately = 12_000, 4_000
	made := make([]channel.ID, many)
	for n := range many {
		author, err := a.Taps(acme, cardID(uint32(n)))
		require.NoError(t, err)
		made[n] = author.Channel()
		if n >= lately && n%500 == 0 {
			found, here := a.Of(made[n-lately])
			require.True(t, here, n)
			assert.Equal(t, made[n-lately], found.Channel())
		}
	}
	_, here = a.Of(made[0])
	assert.False(t, here, "what was asked for long ago is let go")
	first, err := a.Taps(acme, cardID(many-1))
	require.NoError(t, err)
	again, err := a.Taps(acme, cardID(many-1))
	require.NoError(t, err)
	assert.Same(t, first, again, "and not worked out twice")
	for n := range 4096 {
		_, err := a.Taps(bell, cardID(uint32(n)))
		require.NoError(t, err)
		again, err := a.Taps(acme, cardID(many-1))
		require.NoError(t, err)
		require.Same(t, first, again, "what is in use stays")
	}
}

// TestAnIssuerThatIsAddedIsServedAtOnce, also by a ledger that was opened before.
func TestAnIssuerThatIsAddedIsServedAtOnce(t *testing.T) {
	s, _, bell := twoIssuers(t)
	a := secrets.NewAuthors(fresh(t, 5))
	_, err := a.Taps(bell, cardID(1))
	require.ErrorIs(t, err, secrets.ErrElsewhere)
	a.Add(s.Issuers[1])
	_, err = a.Taps(bell, cardID(1))
	require.NoError(t, err)
	_, here := a.Of(bell)
	assert.True(t, here)
}

func TestAuthorsServeManyAtOnce(t *testing.T) {
	s, acme, _ := twoIssuers(t)
	a := secrets.NewAuthors(s)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for n := range uint32(1500) {
				author, err := a.Taps(acme, cardID(n*uint32(1+worker%2)))
				if !assert.NoError(t, err) {
					return
				}
				found, here := a.Of(author.Channel())
				assert.True(t, here)
				assert.Same(t, author, found)
			}
		})
	}
	all.Wait()
}

func BenchmarkTapsOfAKnownCard(b *testing.B) {
	s, err := secrets.New(origin, "Acme", "", rand.NewChaCha8([32]byte{1}), made)
	require.NoError(b, err)
	a, issuer := secrets.NewAuthors(s), s.Issuers[0].Author().Channel()
	for b.Loop() {
		if _, err := a.Taps(issuer, cardID(1)); err != nil {
			b.Fatal(err)
		}
	}
}
