package tap_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/tap"
)

type tapVector struct {
	Name, URL, Key, CardID, Expect string
	Alg                            byte
}

type challengeVector struct {
	Key, CardID, Nonce, Context, Signed, Signature, Expect string
	Alg                                                    byte
	Counter                                                uint32
}

type vectors struct {
	Format     string
	Taps       []tapVector
	Challenges []challengeVector
}

func loadVectors(t testing.TB) vectors {
	t.Helper()
	text, err := os.ReadFile("../../testdata/vectors/tap.json")
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(text, &v))
	require.Equal(t, "tap v1", v.Format)
	require.NotEmpty(t, v.Taps)
	require.NotEmpty(t, v.Challenges)
	return v
}

func fromHex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

func mustKey(t testing.TB, alg byte, text string) tap.Key {
	t.Helper()
	key, err := tap.ParseKey(tap.Algorithm(alg), fromHex(t, text))
	require.NoError(t, err)
	return key
}

func TestVectorsTaps(t *testing.T) {
	for _, v := range loadVectors(t).Taps {
		t.Run(v.Name, func(t *testing.T) {
			key := mustKey(t, v.Alg, v.Key)
			u, err := tap.Parse(v.URL)
			if err == nil {
				err = u.Verify(key)
			}
			if err == nil {
				assert.Equal(t, v.CardID, u.ID.String())
			}
			assert.Equal(t, v.Expect, tap.Class(err), "%v", err)
		})
	}
}

func TestVectorsChallenges(t *testing.T) {
	for _, v := range loadVectors(t).Challenges {
		key := mustKey(t, v.Alg, v.Key)
		assert.Equal(t, v.CardID, key.ID().String())
		c := tap.Challenge{Nonce: fromHex(t, v.Nonce), Context: fromHex(t, v.Context), Counter: v.Counter, Signature: fromHex(t, v.Signature)}
		assert.Equal(t, v.Signed, hex.EncodeToString(c.SignedBytes(key.Algorithm(), key.ID())))
		assert.Equal(t, v.Expect, tap.Class(c.Verify(key)))
	}
}
