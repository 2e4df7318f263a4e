package mirror

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzWitnessKey: what is read as a key is one whose public half has the name and id
// that stand in it.
func FuzzWitnessKey(f *testing.F) {
	text, err := NewWitnessKey("witness.example/w1", zeros{})
	require.NoError(f, err)
	f.Add(text)
	f.Add(signerKey)
	f.Fuzz(func(t *testing.T, text string) {
		signer, err := ParseWitnessKey(text)
		if err != nil {
			require.ErrorIs(t, err, errWitnessKey)
			return
		}
		public := strings.Split(signer.VerifierKey(), "+")
		require.True(t, strings.HasPrefix(text, privateKey+public[0]+"+"+public[1]+"+"))
	})
}
