package registry

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What parseSecrets lets through is written again as what it reads back.
func FuzzParseSecrets(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseSecrets(text)
		if err != nil {
			require.Zero(t, s)
			return
		}
		again, err := s.text()
		require.NoError(t, err)
		second, err := parseSecrets(again)
		require.NoError(t, err)
		require.True(t, s.Created.Equal(second.Created))
		second.Created = s.Created
		require.True(t, s == second)
	})
}
