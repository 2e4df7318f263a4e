package channel_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
)

var seed = channel.Seed([]byte("a seed of thirty-two bytes, test"))

var written = time.UnixMilli(1790000000123)

// zeros is a source of nonces for tests, where no secret depends on them.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// write signs message n of a restricted channel with the given key start.
func write(t testing.TB, a *channel.Author, n, keyStart uint64, body string) channel.Message {
	m, err := a.Sign(channel.Draft{Number: n, Time: written, Body: []byte(body), KeyStart: keyStart, Random: zeros{}})
	require.NoError(t, err)
	return m
}

func TestRotationCutsReadersOff(t *testing.T) {
	a := channel.NewAuthor(seed, channel.Restricted)
	reader := a.Capability(2, 0)
	for _, row := range []struct {
		n, start uint64
		want     error
	}{
		{1, 0, channel.ErrCannotOpen}, // before the capability
		{2, 0, nil},
		{7, 0, nil},
		{5, 5, channel.ErrCannotOpen}, // rotated
		{9, 5, channel.ErrCannotOpen},
	} {
		m := write(t, a, row.n, row.start, "secret")
		body, err := reader.Open(m)
		require.ErrorIs(t, err, row.want)
		if row.want == nil {
			assert.Equal(t, "secret", string(body))
		}
		own, err := a.Capability(m.Number(), m.KeyStart()).Open(m)
		require.NoError(t, err)
		assert.Equal(t, "secret", string(own))
	}
}

func TestCapabilityRefusesNumbersOutOfReach(t *testing.T) {
	a := channel.NewAuthor(seed, channel.Restricted)
	c := a.Capability(3, 0)
	_, err := c.At(math.MaxUint64)
	require.ErrorIs(t, err, channel.ErrCannotOpen)
	_, err = c.At(2)
	require.ErrorIs(t, err, channel.ErrCannotOpen)
	later, err := c.At(8)
	require.NoError(t, err)
	assert.Equal(t, a.Capability(8, 0).String(), later.String())
}

func TestCapabilityRefusesOtherChannel(t *testing.T) {
	other := channel.NewAuthor(channel.Seed{1}, channel.Public)
	m := write(t, other, 0, 0, "public")
	_, err := channel.NewAuthor(seed, channel.Public).Capability(0, 0).Open(m)
	require.ErrorIs(t, err, channel.ErrWrongChannel)
}

func TestPublicCapabilityDoesNotOpenRestricted(t *testing.T) {
	a := channel.NewAuthor(seed, channel.Restricted)
	_, err := channel.Capability{Channel: a.Channel()}.Open(write(t, a, 0, 0, "secret"))
	require.ErrorIs(t, err, channel.ErrCannotOpen)
}

func TestParseCapabilityRefuses(t *testing.T) {
	id := channel.NewAuthor(seed, channel.Public).Channel().String()
	for _, text := range []string{
		"", "pidc1", "pidc1:", "pidc2:" + id, "pidc1:" + id[1:], "pidc1:" + id + ":", "pidc1:" + id + ":0",
		"pidc1:" + id + ":01:" + id, "pidc1:" + id + ":-1:" + id, "pidc1:" + id + ":18446744073709551616:" + id,
		"pidc1:" + id + ":0:" + id[1:], "pidc1:" + id + ":0:" + id + ":", "pidc1:" + id[:42] + "\n", "PIDC1:" + id,
		"pidc1:" + id[:42] + "_", // not a canonical last character
	} {
		_, err := channel.ParseCapability(text)
		assert.ErrorIs(t, err, channel.ErrMalformed, "%q", text)
	}
}

func TestSignRefusesDraft(t *testing.T) {
	for name, row := range map[string]struct {
		mode  channel.Mode
		draft channel.Draft
	}{
		"body too long":            {channel.Public, channel.Draft{Time: written, Body: make([]byte, channel.MaxBody+1)}},
		"restricted body too long": {channel.Restricted, channel.Draft{Time: written, Body: make([]byte, channel.MaxBody+1), Random: zeros{}}},
		"first with previous":      {channel.Public, channel.Draft{Time: written, Prev: channel.Hash{1}}},
		"before 1970":              {channel.Public, channel.Draft{}},
		"after 9999":               {channel.Public, channel.Draft{Time: time.UnixMilli(channel.MaxUnixMilli + 1)}},
		"key start in public":      {channel.Public, channel.Draft{Time: written, Number: 1, KeyStart: 1}},
		"key start beyond message": {channel.Restricted, channel.Draft{Time: written, KeyStart: 1, Random: zeros{}}},
		"mode that does not exist": {2, channel.Draft{Time: written, Random: zeros{}}},
	} {
		_, err := channel.NewAuthor(seed, row.mode).Sign(row.draft)
		assert.ErrorIs(t, err, channel.ErrMalformed, name)
	}
}

func TestSignPassesRandomErrorOn(t *testing.T) {
	broken := errors.New("no entropy")
	a := channel.NewAuthor(seed, channel.Restricted)
	_, err := a.Sign(channel.Draft{Time: written, Random: failing{broken}})
	require.ErrorIs(t, err, broken)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestLongestBodiesFit(t *testing.T) {
	body := strings.Repeat("x", channel.MaxBody)
	for _, mode := range []channel.Mode{channel.Public, channel.Restricted} {
		a := channel.NewAuthor(seed, mode)
		m := write(t, a, 0, 0, body)
		assert.LessOrEqual(t, len(m.Bytes()), channel.MaxMessage)
		again, err := channel.Parse(m.Bytes())
		require.NoError(t, err)
		opened, err := a.Capability(0, 0).Open(again)
		require.NoError(t, err)
		assert.Equal(t, body, string(opened))
	}
}

// TestEveryTamperedByteIsRefused flips each bit of a message and of its stub.
func TestEveryTamperedByteIsRefused(t *testing.T) {
	for _, mode := range []channel.Mode{channel.Public, channel.Restricted} {
		m := write(t, channel.NewAuthor(seed, mode), 3, 0, `{"kind":"tap"}`)
		for bit := range len(m.Bytes()) * 8 {
			_, err := channel.Parse(flip(m.Bytes(), bit))
			require.Error(t, err, "message bit %d", bit)
		}
		for bit := range channel.StubSize * 8 {
			_, err := channel.ParseStub(flip(m.Stub().Bytes(), bit))
			require.Error(t, err, "stub bit %d", bit)
		}
	}
}

func flip(b []byte, bit int) []byte {
	b[bit/8] ^= 1 << (bit % 8)
	return b
}

func TestMessageCannotBeChanged(t *testing.T) {
	a := channel.NewAuthor(seed, channel.Public)
	body := []byte("body")
	m, err := a.Sign(channel.Draft{Time: written, Body: body})
	require.NoError(t, err)
	raw := m.Bytes()
	parsed, err := channel.Parse(raw)
	require.NoError(t, err)
	want := m.Bytes()
	read, err := parsed.Body()
	require.NoError(t, err)
	for _, b := range [][]byte{body, raw, read, m.Payload(), m.Bytes(), m.Stub().Bytes()} {
		clear(b)
	}
	assert.Equal(t, want, m.Bytes())
	assert.Equal(t, want, parsed.Bytes())
}

func TestFromStub(t *testing.T) {
	for _, mode := range []channel.Mode{channel.Public, channel.Restricted} {
		a := channel.NewAuthor(seed, mode)
		m := write(t, a, 1, 0, "one body")
		stub, err := channel.ParseStub(m.Stub().Bytes())
		require.NoError(t, err)
		assert.Equal(t, m.Stub(), stub)
		again, err := channel.FromStub(stub, m.Payload())
		require.NoError(t, err)
		assert.Equal(t, m.Bytes(), again.Bytes())

		for _, payload := range [][]byte{nil, m.Payload()[1:], write(t, a, 1, 0, "two body").Payload()} {
			_, err = channel.FromStub(stub, payload)
			require.ErrorIs(t, err, channel.ErrMalformed)
		}
	}
	_, err := channel.FromStub(channel.Stub{}, nil)
	require.ErrorIs(t, err, channel.ErrMalformed)
}

func TestZeroMessageIsNoMessage(t *testing.T) {
	var m channel.Message
	assert.True(t, m.IsZero())
	assert.Nil(t, m.Bytes())
	_, err := m.MarshalText()
	require.ErrorIs(t, err, channel.ErrMalformed)
	assert.False(t, write(t, channel.NewAuthor(seed, channel.Public), 0, 0, "").IsZero())
}

func TestMessageText(t *testing.T) {
	m := write(t, channel.NewAuthor(seed, channel.Public), 0, 0, "body")
	text, err := json.Marshal(m)
	require.NoError(t, err)
	var again channel.Message
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, m, again)

	raw := base64.RawURLEncoding.EncodeToString(flip(m.Bytes(), 8*150))
	require.ErrorIs(t, again.UnmarshalText([]byte(raw)), channel.ErrBadSignature)
	require.ErrorIs(t, again.UnmarshalText([]byte("\n"+raw)), channel.ErrMalformed)
	require.ErrorIs(t, again.UnmarshalText([]byte(raw+"=")), channel.ErrMalformed)
	require.ErrorIs(t, again.UnmarshalText(bytes.Repeat([]byte("A"), 20000)), channel.ErrMalformed)
}

func TestSecretsDoNotPrint(t *testing.T) {
	a := channel.NewAuthor(seed, channel.Restricted)
	capability := a.Capability(0, 0)
	var logged bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&logged, nil))
	logger.Info("secrets", "seed", seed, "key", capability.Key, "capability", capability)
	text, err := json.Marshal(map[string]any{"seed": seed, "key": capability.Key})
	require.NoError(t, err)
	printed := logged.String() + string(text) + seed.String() + seed.GoString() +
		capability.Key.String() + capability.Key.GoString() +
		fmt.Sprintf("%v %x %d %s %q %#v %+v", seed, seed, seed, seed, seed, seed, seed) +
		fmt.Sprintf("%v %x %d %#v", capability.Key, capability.Key, capability.Key, capability.Key) +
		fmt.Sprintf("%v %+v %#v %s", capability, capability, capability, capability)
	assert.Equal(t, 2+1+2+4+7+4+4, strings.Count(printed, "[redacted]"))
	for _, secret := range [][]byte{seed[:], capability.Key[:]} {
		assert.NotContains(t, printed, string(secret))
		assert.NotContains(t, printed, fmt.Sprintf("%x", secret))
		assert.NotContains(t, printed, base64.RawURLEncoding.EncodeToString(secret))
	}
}

func TestDerivedSeedsDiffer(t *testing.T) {
	seen := map[[32]byte]bool{}
	for generation := range uint32(3) {
		for _, name := range []string{"card/a/taps", "card/a/settings", "card/b/taps"} {
			seen[channel.DeriveSeed(seed, generation, name)] = true
		}
	}
	seen[channel.DeriveKey(seed, "retry")] = true
	assert.Len(t, seen, 10)
	// channel ‖ 00 ‖ be32 generation ‖ name
	assert.Equal(t, channel.DeriveKey(seed, "channel\x00\x00\x00\x00\x02card/a/taps"),
		[32]byte(channel.DeriveSeed(seed, 2, "card/a/taps")))
}

func TestAuthorIsSafeForConcurrentUse(t *testing.T) {
	a := channel.NewAuthor(seed, channel.Restricted)
	var wg sync.WaitGroup
	for n := range uint64(20) {
		wg.Go(func() {
			m := write(t, a, n, n/5*5, "secret")
			_, err := channel.NewAuthor(seed, channel.Restricted).Capability(n, n/5*5).Open(m)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
}

func TestSignedHead(t *testing.T) {
	a := channel.NewAuthor(seed, channel.Public)
	h, err := a.SignHead(channel.SignedHead{Number: 7, Hash: channel.Hash{1}, Time: written.Add(time.Microsecond), LogSize: 99, LogRoot: channel.Hash{2}})
	require.NoError(t, err)
	require.NoError(t, h.Verify())

	text, err := json.Marshal(h)
	require.NoError(t, err)
	var again channel.SignedHead
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, h, again)
	require.NoError(t, again.Verify())

	for name, change := range map[string]func(*channel.SignedHead){
		"channel":   func(h *channel.SignedHead) { h.Channel[3]++ },
		"number":    func(h *channel.SignedHead) { h.Number++ },
		"hash":      func(h *channel.SignedHead) { h.Hash[3]++ },
		"time":      func(h *channel.SignedHead) { h.Time = h.Time.Add(time.Millisecond) },
		"size":      func(h *channel.SignedHead) { h.LogSize++ },
		"root":      func(h *channel.SignedHead) { h.LogRoot[31]++ },
		"signature": func(h *channel.SignedHead) { h.Signature[0]++ },
	} {
		bad := h
		change(&bad)
		assert.ErrorIs(t, bad.Verify(), channel.ErrBadSignature, name)
	}
	h.Time = h.Time.Add(time.Microsecond)
	require.ErrorIs(t, h.Verify(), channel.ErrMalformed)
}

func TestSignedDigestVerifiesUnderTheChannelID(t *testing.T) {
	a := channel.NewAuthor(channel.Seed{1}, channel.Public)
	digest := sha256.Sum256([]byte("transaction"))
	id := a.Channel()
	assert.True(t, ed25519.Verify(id[:], digest[:], a.SignDigest(digest)))
}

// TestTokensAreNothingElse: what signs a token signs no message, head or digest.
func TestTokensAreNothingElse(t *testing.T) {
	a := channel.NewAuthor(channel.Seed{1}, channel.Public)
	input := []byte("eyJhbGciOiJFZERTQSJ9.eyJhIjoxfQ")
	require.Less(t, len(input), 33)
	for _, bad := range []string{string(input), "", "eyJhbGciOiJFZERTQSJ9eyJhIjoxfQeyJhbGciOiJFZERTQSJ9", "pidc1/message\x00.eyJhbGciOiJFZERTQSJ9eyJhbGciOiJFZERTQSJ9", ".eyJhbGciOiJFZERTQSJ9eyJhbGciOiJFZERTQSJ9eyJ"} {
		_, err := a.SignToken([]byte(bad))
		assert.ErrorIs(t, err, channel.ErrMalformed, "%q", bad)
	}
	input = append(input, "AAAA"...)
	signature, err := a.SignToken(input)
	require.NoError(t, err)
	id := a.Channel()
	assert.True(t, ed25519.Verify(id[:], input, signature))
}
