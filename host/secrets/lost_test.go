package secrets_test

import (
	"crypto/sha256"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/secrets"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/tap"
)

func TestALogIsGivenUpForOneOfAnotherKey(t *testing.T) {
	dir := t.TempDir()
	before := create(t, dir)
	signer, err := ledger.NewSigner(string(before.Log))
	require.NoError(t, err)
	safe, random := secrets.Safe{Dir: dir}, rand.NewChaCha8([32]byte{7})
	unknown, err := secrets.NewIssuer("unknown", "", random, made)
	require.NoError(t, err)
	lost := secrets.LostLog{Key: signer.VerifierKey(), Lost: made, Since: made, Size: 7}
	after, err := safe.Change(func(s *secrets.Secrets) error {
		s.Issuers = append(s.Issuers, unknown)
		return s.GiveUp(lost, "log.example.org", func(id channel.ID) (string, string, bool) {
			return "Acme AG", "https://acme.example.org", id == before.Issuers[0].Author().Channel()
		}, random)
	})
	require.NoError(t, err)
	loaded, err := safe.Load()
	require.NoError(t, err)
	assert.Equal(t, after, loaded)
	assert.True(t, loaded.Resuming)
	assert.True(t, loaded.Unbegun)
	assert.Equal(t, "log.example.org", loaded.Origin())
	require.Len(t, loaded.Lost, 1)
	assert.Equal(t, origin, loaded.Lost[0].Origin())
	text, err := os.ReadFile(filepath.Join(dir, secrets.File))
	require.NoError(t, err)
	assert.NotContains(t, string(text), strings.TrimSpace(string(before.Log)), "its key signs no more")

	was, is := before.Issuers[0], loaded.Issuers[0]
	successor := is.Author().Channel()
	assert.Equal(t, was.Successor(), channel.Hash(sha256.Sum256(successor[:])))
	assert.Equal(t, was.Author().Channel(), is.Previous)
	assert.EqualValues(t, 1, is.Generation)
	assert.Equal(t, "Acme AG", is.Name)
	assert.NotEqual(t, was.Next, is.Next)
	assert.NotEqual(t, unknown.Seed, loaded.Issuers[1].Seed)
	assert.NotEqual(t, unknown.Next, loaded.Issuers[1].Seed)
	assert.Zero(t, loaded.Issuers[1].Previous)

	card := tap.CardID{1}
	old, fresh := secrets.NewAuthors(before), secrets.NewAuthors(loaded)
	for _, of := range []func(a *secrets.Authors, issuer channel.ID) (*channel.Author, error){
		func(a *secrets.Authors, issuer channel.ID) (*channel.Author, error) { return a.Taps(issuer, card) },
		func(a *secrets.Authors, issuer channel.ID) (*channel.Author, error) { return a.Settings(issuer, card) },
	} {
		one, err := of(old, was.Author().Channel())
		require.NoError(t, err)
		other, err := of(fresh, successor)
		require.NoError(t, err)
		assert.NotEqual(t, one.Channel(), other.Channel())
		_, err = of(fresh, was.Author().Channel())
		require.ErrorIs(t, err, secrets.ErrElsewhere)
	}
	author, err := fresh.Taps(successor, card)
	require.NoError(t, err)
	assert.Equal(t, channel.NewAuthor(channel.DeriveSeed(is.Taps, 1, "card/"+card.String()+"/taps"), channel.Public).Channel(), author.Channel())
}
