package secrets

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What parse lets through is written again as what it reads back.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parse(text)
		if err != nil {
			require.Zero(t, s)
			return
		}
		again, err := s.text()
		require.NoError(t, err)
		second, err := parse(again)
		require.NoError(t, err)
		require.Equal(t, s, second)
	})
}
