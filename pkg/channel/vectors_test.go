package channel_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
)

// hexBytes is a hexadecimal string of the vectors.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type vectors struct {
	Channels []struct {
		Mode      channel.Mode
		Seed      hexBytes
		Channel   string
		RotatedAt []uint64
		Messages  []goodMessage
		Bad       []badMessage
	}
}

type goodMessage struct {
	N                    uint64
	UnixMs               int64
	Nonce, Body, ReadKey hexBytes
	Capability           string
	Message, Hash, Leaf  hexBytes
	Expect               string
}

type badMessage struct {
	Name, Channel          string
	Mode                   channel.Mode
	N                      uint64
	Prev, ReadKey, Message hexBytes
	Expect                 string
}

func readVectors(t testing.TB) vectors {
	text, err := os.ReadFile("../../testdata/vectors/channel.json")
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(text, &v))
	require.Len(t, v.Channels, 2)
	return v
}

// TestVectorsAreSignedAgain makes each message from seed, nonce and time, byte for byte.
func TestVectorsAreSignedAgain(t *testing.T) {
	for _, c := range readVectors(t).Channels {
		author := channel.NewAuthor(channel.Seed(c.Seed), c.Mode)
		require.Equal(t, c.Channel, author.Channel().String())
		var prev channel.Hash
		var start uint64
		for _, v := range c.Messages {
			if len(c.RotatedAt) > 0 && v.N >= c.RotatedAt[0] {
				start = c.RotatedAt[0]
			}
			m, err := author.Sign(channel.Draft{Number: v.N, Prev: prev, Time: time.UnixMilli(v.UnixMs),
				Body: v.Body, KeyStart: start, Random: bytes.NewReader(v.Nonce)})
			require.NoError(t, err)
			assert.Equal(t, []byte(v.Message), m.Bytes(), "%s message %d", c.Mode, v.N)
			hash := m.Hash()
			assert.Equal(t, []byte(v.Hash), hash[:])
			assert.Equal(t, []byte(v.Leaf[13:]), m.Stub().Bytes())
			assert.Equal(t, v.Capability, author.Capability(v.N, start).String())
			prev = hash
		}
	}
}

// TestVectorsAreRead parses, checks and opens each message with its own key.
func TestVectorsAreRead(t *testing.T) {
	for _, c := range readVectors(t).Channels {
		id, err := channel.ParseID(c.Channel)
		require.NoError(t, err)
		var prev channel.Hash
		for _, v := range c.Messages {
			require.Equal(t, "ok", v.Expect)
			m, err := channel.Parse(v.Message)
			require.NoError(t, err)
			require.NoError(t, m.Check(id, c.Mode, v.N, prev))
			assert.Equal(t, v.UnixMs, m.Time().UnixMilli())
			prev = m.Hash()

			capability, err := channel.ParseCapability(v.Capability)
			require.NoError(t, err)
			assert.Equal(t, []byte(v.ReadKey), keyBytes(capability))
			body, err := capability.Open(m)
			require.NoError(t, err)
			assert.Equal(t, []byte(v.Body), body)
		}
	}
}

func keyBytes(c channel.Capability) []byte {
	if !c.Restricted {
		return nil
	}
	return c.Key[:]
}

// TestVectorsAreRefused finds each bad message's class in the order of the classes.
func TestVectorsAreRefused(t *testing.T) {
	count := 0
	for _, c := range readVectors(t).Channels {
		for _, v := range c.Bad {
			t.Run(c.Mode.String()+" "+v.Name, func(t *testing.T) {
				assert.Equal(t, v.Expect, channel.Class(readBad(t, v)))
			})
			count++
		}
	}
	assert.Equal(t, 47, count)
}

func readBad(t *testing.T, v badMessage) error {
	id, err := channel.ParseID(v.Channel)
	require.NoError(t, err)
	m, err := channel.Parse(v.Message)
	if err != nil {
		return err
	}
	if err := m.Check(id, v.Mode, v.N, channel.Hash(v.Prev)); err != nil {
		return err
	}
	if v.Mode == channel.Restricted {
		_, err = m.Open(channel.ReadKey(v.ReadKey))
	}
	return err
}
