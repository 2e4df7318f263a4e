package record_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/record"
)

func TestLogCheckpointReadsBack(t *testing.T) {
	want := record.LogCheckpoint{Checkpoint: "log.example\n7\nAAAA\n\n— log.example c2ln\n"}
	body, err := want.Encode()
	require.NoError(t, err)
	got, err := record.ParseLogCheckpoint(body)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	r, err := record.Parse(body)
	require.NoError(t, err)
	assert.Nil(t, r.Value, "it says nothing of a card")
}

func TestWhatIsNoLogCheckpointIsMalformed(t *testing.T) {
	for _, body := range []string{
		"", "{}", `{"kind":"log.checkpoint"}`, `{"kind":"log.checkpoint","checkpoint":""}`, `{"kind":"log.checkpoint","checkpoint":7}`,
		`{"kind":"log.checkpoint","checkpoint":null}`, `{"kind":"log.Checkpoint","checkpoint":"x"}`, `{"kind":"log.checkpoint","Checkpoint":"x"}`,
		`{"kind":"log.checkpoint","checkpoint":"x","checkpoint":"x"}`, `{"kind":"tap","checkpoint":"x"}`,
	} {
		_, err := record.ParseLogCheckpoint([]byte(body))
		assert.ErrorIs(t, err, record.ErrMalformed, body)
	}
	for _, text := range []string{"", "\xff", strings.Repeat("x", channel.MaxBody)} {
		_, err := record.LogCheckpoint{Checkpoint: text}.Encode()
		assert.ErrorIs(t, err, record.ErrMalformed)
	}
}

// What is read is written again to the same.
func FuzzParseLogCheckpoint(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := record.ParseLogCheckpoint(body)
		if err != nil {
			require.ErrorIs(t, err, record.ErrMalformed)
			return
		}
		again, err := r.Encode()
		if err != nil { // another spelling is longer
			require.Greater(t, 8*len(body), channel.MaxBody)
			return
		}
		second, err := record.ParseLogCheckpoint(again)
		require.NoError(t, err)
		require.Equal(t, r, second)
	})
}
