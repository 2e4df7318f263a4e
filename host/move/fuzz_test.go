package move

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/ledger"
)

// Whatever the file: an error of ours, never a panic; and a file that is read stands as it is written.
func FuzzRead(f *testing.F) {
	f.Fuzz(func(t *testing.T, file []byte) {
		var again bytes.Buffer
		lines := json.NewEncoder(&again)
		lines.SetEscapeHTML(false)
		n := uint64(0)
		err := read(bytes.NewReader(file), func(h Header) error { return lines.Encode(h) }, func(number uint64, line []byte, e ledger.Evidence) error {
			n++
			require.Equal(t, n+1, number)
			require.False(t, e.Message.IsZero())
			again.Write(append(line, '\n'))
			return nil
		})
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		require.NoError(t, lines.Encode(footer{n}))
		require.Equal(t, string(file), again.String())
	})
}
