package channel_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
)

// What is left of a message is as genuine as it was, in its place, and carries nothing.
func TestTombstoneKeepsAllButThePayload(t *testing.T) {
	for _, mode := range []channel.Mode{channel.Public, channel.Restricted} {
		a := channel.NewAuthor(seed, mode)
		draft := channel.Draft{Number: 3, Prev: channel.Hash{7}, Time: written, Body: []byte("a name"), Random: zeros{}}
		if mode == channel.Restricted {
			draft.KeyStart = 2
		}
		m, err := a.Sign(draft)
		require.NoError(t, err)
		left := channel.Tombstone(m.Stub())
		assert.True(t, left.Removed())
		assert.False(t, m.Removed())
		assert.False(t, left.IsZero())
		assert.Equal(t, m.Stub(), left.Stub())
		assert.Equal(t, m.Hash(), left.Hash())
		assert.NoError(t, left.Check(a.Channel(), mode, 3, channel.Hash{7}))
		assert.Equal(t, written.UTC(), left.Time())

		assert.Empty(t, left.Payload())
		assert.Zero(t, left.KeyStart())
		assert.Nil(t, left.Bytes())
		_, err = left.Body()
		assert.ErrorIs(t, err, channel.ErrRemoved)
		assert.Equal(t, "removed", channel.Class(err))
		_, err = left.Open(channel.ReadKey{})
		assert.ErrorIs(t, err, channel.ErrRemoved)
		_, err = a.Capability(3, 0).Open(left)
		assert.ErrorIs(t, err, channel.ErrRemoved)
		_, err = left.MarshalText()
		assert.ErrorIs(t, err, channel.ErrRemoved)

		whole, err := channel.FromStub(left.Stub(), m.Payload())
		require.NoError(t, err)
		assert.Equal(t, m, whole, "who kept the payload still can show that it was this one")
	}
	assert.Equal(t, channel.Message{}, channel.Tombstone(channel.Stub{}))
	assert.False(t, channel.Tombstone(channel.Stub{}).Removed())
}

func TestStubIsReadAgainFromItsText(t *testing.T) {
	s := write(t, channel.NewAuthor(seed, channel.Restricted), 4, 0, "body").Stub()
	text, err := s.MarshalText()
	require.NoError(t, err)
	var again channel.Stub
	require.NoError(t, again.UnmarshalText(text))
	assert.Equal(t, s, again)
	_, err = channel.Stub{}.MarshalText()
	assert.ErrorIs(t, err, channel.ErrMalformed)
	for name, bad := range map[string]string{
		"empty": "", "cut": string(text[:len(text)-1]), "longer": string(text) + "A", "padded": string(text[:len(text)-1]) + "=",
		"line break": string(text[:len(text)-1]) + "\n", "not base64url": string(text[:len(text)-1]) + "+", "stray bits": string(text[:len(text)-1]) + "_",
	} {
		assert.ErrorIs(t, new(channel.Stub).UnmarshalText([]byte(bad)), channel.ErrMalformed, name)
	}
	text[200]++
	assert.Error(t, new(channel.Stub).UnmarshalText(text))
}
