package taptest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

// Recorded test data would change under the feet of every test if a name got another key.
func TestKeyFollowsFromTheNameForEver(t *testing.T) {
	for _, row := range []struct {
		algorithm tap.Algorithm
		id        string
	}{
		{tap.P256, "IV8MsOnKjWZjALGA"},
		{tap.RSA2048, "9YKaEfunHpVXYBar"},
	} {
		card := taptest.New(row.algorithm, "card")
		assert.Equal(t, row.algorithm, card.Key().Algorithm())
		assert.Equal(t, row.id, card.ID().String())
		assert.True(t, card.Key().Equal(taptest.New(row.algorithm, "card").Key()))
		assert.NotEqual(t, card.ID(), taptest.New(row.algorithm, "other").ID())
	}
	assert.Panics(t, func() { taptest.New(tap.Ed25519, "card") })
}

func TestSignaturesVerifyUnderTheKeyOfEitherAlgorithm(t *testing.T) {
	for _, algorithm := range []tap.Algorithm{tap.P256, tap.RSA2048} {
		card := taptest.New(algorithm, "card")
		u, err := tap.Parse(card.Tap())
		require.NoError(t, err)
		assert.NoError(t, u.Verify(card.Key()), algorithm)
		u, err = tap.Parse(card.Rehearse())
		require.NoError(t, err)
		assert.NoError(t, u.VerifyRehearsal(card.Key()), algorithm)
		assert.ErrorIs(t, u.Verify(card.Key()), tap.ErrBadSignature, algorithm)
		assert.NoError(t, card.Challenge([]byte("0123456789abcdef"), []byte("context")).Verify(card.Key()), algorithm)
		assert.Equal(t, uint32(3), card.Counter)
	}
}
