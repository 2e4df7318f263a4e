package tap_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/productid/productid/pkg/tap"
	"github.com/productid/productid/pkg/tap/taptest"
)

func TestIsMeantTellsTapsFromPrintedAddresses(t *testing.T) {
	for query, want := range map[string]bool{
		"i=x": true, "a=1&c=": true, "s": true, "v=2": true,
		"": false, "x=exhausted": false, "k=1&n=1": false, "linkType=gs1:pip": false, "ic=1&%69=1": false, "17=271231;c=1": false,
	} {
		assert.Equal(t, want, tap.IsMeant(query), query)
	}
}

func TestClassOfForeignErrorIsEmpty(t *testing.T) {
	assert.Empty(t, tap.Class(io.EOF))
	assert.Equal(t, "wrong_key", tap.Class(fmt.Errorf("checking: %w", tap.ErrWrongKey)))
}

func TestParseFillsUnsigned(t *testing.T) {
	card := taptest.NewCard("card")
	for _, reason := range []string{tap.Exhausted, tap.ChallengeOnly} {
		u, err := tap.Parse("https://h/?i=" + card.ID().String() + "&c=00000000&x=" + reason)
		require.ErrorIs(t, err, tap.ErrUnsigned)
		assert.Equal(t, tap.URL{ID: card.ID(), Unsigned: reason}, u)
		assert.ErrorIs(t, u.Verify(card.Key()), tap.ErrUnsigned)
	}
}

func TestParserAllowsHTTPOnlyWhenAsked(t *testing.T) {
	text := strings.Replace(taptest.NewCard("card").Tap(), "https://", "http://", 1)
	_, err := tap.Parse(text)
	assert.ErrorIs(t, err, tap.ErrMalformed)
	_, err = tap.Parser{AllowHTTP: true}.Parse(text)
	assert.NoError(t, err)
	_, err = tap.Parser{AllowHTTP: true}.Parse(strings.Replace(text, "http://", "ftp://", 1))
	assert.ErrorIs(t, err, tap.ErrMalformed)
}

// One row per rule that the shared vectors do not cover.
func TestParseEdges(t *testing.T) {
	card := taptest.NewCard("card")
	id, text := card.ID().String(), card.TapAt(7)
	_, query, _ := strings.Cut(text, "?")
	signature := text[strings.Index(text, "&s="):]
	for _, row := range []struct{ name, url, want string }{
		{"upper-case parameters are unknown ones", text + "&I=1&C=2&S=3&X=4&V=9", "ok"},
		{"reserved k and n once", text + "&k=1&n=2", "ok"},
		{"reserved k twice", text + "&k=1&k=2", "malformed"},
		{"percent-encoded n", text + "&%6e=2", "malformed"},
		{"other percent-encoded letter", text + "&%41=2", "ok"},
		{"broken percent sign in a foreign key", text + "&%6g=2&%6=1", "ok"},
		{"key without a value, twice", text + "&x&x", "malformed"},
		{"x beside a signature", text + "&x=exhausted", "ok"},
		{"empty version", text + "&v=", "unsupported"},
		{"version before the other checks", "https://h/?v=2", "unsupported"},
		{"duplicate before version", "https://h/?v=2&k&k", "malformed"},
		{"last /21/ segment wins", "https://h/21/wrong/21/" + id + "/x?c=00000007" + signature, "ok"},
		{"no segment after /21/", "https://h/21/" + id + "/21/?c=00000007" + signature, "malformed"},
		{"line breaks in the signature", strings.Replace(text, "&s=", "&s=\n\n\n\n", 1)[:len(text)], "malformed"},
		{"line break in the id", "https://h/?i=" + id[:15] + "\n&c=00000007" + signature, "malformed"},
		{"user name behind a port", "https://a:1@h/?" + query, "malformed"},
		{"@ in the path is no user name", "https://h/@a?" + query, "ok"},
		{"not ASCII", text + "&q=é", "malformed"},
		{"2048 bytes", text + "&q=" + strings.Repeat("x", 2048-3-len(text)), "ok"},
		{"empty signature beside x", "https://h/?i=" + id + "&c=00000000&x=exhausted&s=", "malformed"},
	} {
		u, err := tap.Parse(row.url)
		if err == nil {
			err = u.Verify(card.Key())
		}
		assert.Equal(t, row.want, tap.Class(err), "%s: %v", row.name, err)
	}
}

func TestVerifyTellsPurposesApart(t *testing.T) {
	card := taptest.NewCard("card")
	rehearsal, err := tap.Parse(card.Rehearse())
	require.NoError(t, err)
	assert.NoError(t, rehearsal.VerifyRehearsal(card.Key()))
	assert.ErrorIs(t, rehearsal.Verify(card.Key()), tap.ErrBadSignature)

	u, err := tap.Parse(card.Tap())
	require.NoError(t, err)
	assert.NoError(t, u.Verify(card.Key()))
	assert.ErrorIs(t, u.VerifyRehearsal(card.Key()), tap.ErrBadSignature)
}

func TestZeroKeyVerifiesNothing(t *testing.T) {
	u := tap.URL{Counter: 1, Signature: []byte{}}
	assert.ErrorIs(t, u.Verify(tap.Key{}), tap.ErrWrongKey)
	c := taptest.NewCard("card").Challenge(make([]byte, 16), nil)
	assert.ErrorIs(t, c.Verify(tap.Key{}), tap.ErrWrongKey)
}

func TestChallengeLimits(t *testing.T) {
	card := taptest.NewCard("card")
	ask := func(nonce, context int) error {
		return card.Challenge(make([]byte, nonce), make([]byte, context)).Verify(card.Key())
	}
	assert.NoError(t, ask(16, 0))
	assert.NoError(t, ask(32, 200))
	assert.ErrorIs(t, ask(15, 0), tap.ErrMalformed)
	assert.ErrorIs(t, ask(33, 0), tap.ErrMalformed)
	assert.ErrorIs(t, ask(16, 201), tap.ErrMalformed)

	c := card.Challenge(make([]byte, 16), []byte("a"))
	c.Context = []byte("b")
	assert.ErrorIs(t, c.Verify(card.Key()), tap.ErrBadSignature)
	c.Counter = 0
	assert.ErrorIs(t, c.Verify(card.Key()), tap.ErrMalformed)
}

func TestEd25519Key(t *testing.T) {
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	key, err := tap.ParseKey(tap.Ed25519, private.Public().(ed25519.PublicKey))
	require.NoError(t, err)
	u := tap.URL{ID: key.ID(), Counter: 3}
	u.Signature = ed25519.Sign(private, u.SignedBytes(tap.Ed25519))
	assert.NoError(t, u.Verify(key))
	u.Counter++
	assert.ErrorIs(t, u.Verify(key), tap.ErrBadSignature)
}

func TestSignatureOfAnyWrongLengthIsBad(t *testing.T) {
	for _, v := range loadVectors(t).Challenges {
		key := mustKey(t, v.Alg, v.Key)
		right := key.Algorithm().SignatureLen()
		for n := range 300 {
			u := tap.URL{ID: key.ID(), Counter: 1, Signature: make([]byte, n)}
			assert.ErrorIs(t, u.Verify(key), tap.ErrBadSignature, "%d bytes of %d", n, right)
		}
	}
}

func TestCanonicalSignatureIsTheLowOne(t *testing.T) {
	byName, keys := map[string]tap.URL{}, map[string]tap.Key{}
	for _, v := range loadVectors(t).Taps {
		if u, err := tap.Parse(v.URL); err == nil {
			byName[v.Name], keys[v.Name] = u, mustKey(t, v.Alg, v.Key)
		}
	}
	low, high := byName["p256 low s"], byName["p256 high s"]
	assert.Equal(t, low.Signature, low.CanonicalSignature(tap.P256))
	lowered := high.CanonicalSignature(tap.P256)
	assert.Equal(t, high.Signature[:32], lowered[:32])
	assert.NotEqual(t, high.Signature[32:], lowered[32:])
	high.Signature = lowered
	assert.NoError(t, high.Verify(keys["p256 high s"]))
	assert.Equal(t, lowered, high.CanonicalSignature(tap.P256))
	for _, name := range []string{"p256 s = 0", "p256 s = n", "p256 all ones"} {
		u := byName[name]
		assert.Equal(t, u.Signature, u.CanonicalSignature(tap.P256), name)
	}
	rsa := byName["rsa2048 counter 1"]
	assert.Equal(t, rsa.Signature, rsa.CanonicalSignature(tap.RSA2048))
	assert.Equal(t, rsa.Signature, rsa.CanonicalSignature(tap.P256))
}

func TestCanonicalSignatureVerifies(t *testing.T) {
	card := taptest.NewCard("card")
	rapid.Check(t, func(t *rapid.T) {
		u, err := tap.Parse(card.TapAt(rapid.Uint32Min(1).Draw(t, "counter")))
		require.NoError(t, err)
		u.Signature = u.CanonicalSignature(tap.P256)
		assert.NoError(t, u.Verify(card.Key()))
		assert.Less(t, hex.EncodeToString(u.Signature[32:]), "7fffffff80000000", "s is at most half the order")
	})
}

func TestParseKeyRefuses(t *testing.T) {
	v := loadVectors(t)
	p256, rsa := fromHex(t, v.Challenges[0].Key), fromHex(t, v.Challenges[3].Key)
	change := func(key []byte, at int, to byte) []byte {
		changed := append([]byte(nil), key...)
		changed[at] = to
		return changed
	}
	for _, row := range []struct {
		name string
		alg  tap.Algorithm
		key  []byte
		want error
	}{
		{"empty", tap.P256, nil, tap.ErrMalformed},
		{"compressed", tap.P256, change(p256, 0, 2), tap.ErrMalformed},
		{"infinity", tap.P256, []byte{0}, tap.ErrMalformed},
		{"off the curve", tap.P256, change(p256, 64, p256[64]^1), tap.ErrMalformed},
		{"one byte too many", tap.P256, append(p256, 0), tap.ErrMalformed},
		{"even modulus", tap.RSA2048, change(rsa, 255, 0), tap.ErrMalformed},
		{"short modulus", tap.RSA2048, change(rsa, 0, 0x7F), tap.ErrMalformed},
		{"exponent 3", tap.RSA2048, change(rsa, 258, 3), tap.ErrMalformed},
		{"no exponent", tap.RSA2048, rsa[:256], tap.ErrMalformed},
		{"ed25519 of 31 bytes", tap.Ed25519, make([]byte, 31), tap.ErrMalformed},
		{"no algorithm", 0, p256, tap.ErrUnsupported},
		{"unknown algorithm", 9, p256, tap.ErrUnsupported},
	} {
		key, err := tap.ParseKey(row.alg, row.key)
		assert.ErrorIs(t, err, row.want, row.name)
		assert.True(t, key.IsZero(), row.name)
	}
}

func TestKeyEqualComparesWholeKeys(t *testing.T) {
	a, b := taptest.NewCard("a").Key(), taptest.NewCard("b").Key()
	again, err := tap.ParseKey(a.Algorithm(), a.Bytes())
	require.NoError(t, err)
	assert.True(t, a.Equal(again))
	assert.False(t, a.Equal(b))
	assert.False(t, a.Equal(tap.Key{}))
}

func TestCardIDText(t *testing.T) {
	id := taptest.NewCard("card").ID()
	text, err := json.Marshal(map[string]tap.CardID{"id": id})
	require.NoError(t, err)
	var back map[string]tap.CardID
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, id, back["id"])
	assert.ErrorIs(t, new(tap.CardID).UnmarshalText([]byte("short")), tap.ErrMalformed)
}

func TestAlgorithmNames(t *testing.T) {
	for _, a := range []tap.Algorithm{tap.P256, tap.RSA2048, tap.Ed25519} {
		read, err := tap.ParseAlgorithm(strings.ToUpper(a.String()))
		require.NoError(t, err)
		assert.Equal(t, a, read)
	}
	_, err := tap.ParseAlgorithm("p384")
	assert.ErrorIs(t, err, tap.ErrUnsupported)
	assert.Equal(t, "algorithm 09", tap.Algorithm(9).String())
	assert.Zero(t, tap.Algorithm(9).SignatureLen())
}

func BenchmarkParse(b *testing.B) {
	text := taptest.NewCard("card").Tap()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := tap.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyP256(b *testing.B) {
	card := taptest.NewCard("card")
	benchmarkVerify(b, card.Tap(), card.Key())
}

func BenchmarkVerifyRSA2048(b *testing.B) {
	for _, v := range loadVectors(b).Taps {
		if v.Name == "rsa2048 counter 1" {
			benchmarkVerify(b, v.URL, mustKey(b, v.Alg, v.Key))
		}
	}
}

func benchmarkVerify(b *testing.B, text string, key tap.Key) {
	u, err := tap.Parse(text)
	b.ReportAllocs()
	for b.Loop() {
		err = errors.Join(err, u.Verify(key))
	}
	if err != nil {
		b.Fatal(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range loadVectors(f).Taps {
		f.Add(v.URL)
	}
	card := taptest.NewCard("card")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := tap.Parse(text)
		if err != nil {
			assert.Contains(t, []string{"malformed", "unsupported", "unsigned"}, tap.Class(err))
			return
		}
		again, err := tap.Parse(card.Template.URL(u.ID, u.Counter, u.Signature))
		require.NoError(t, err)
		assert.Equal(t, u, again)
		assert.Contains(t, text, base64.RawURLEncoding.EncodeToString(u.Signature))
		assert.ErrorIs(t, u.Verify(card.Key()), tap.ErrWrongKey)
	})
}

func FuzzParseKey(f *testing.F) {
	for _, v := range loadVectors(f).Challenges {
		f.Add(v.Alg, fromHex(f, v.Key))
	}
	f.Add(byte(tap.Ed25519), make([]byte, 32))
	f.Fuzz(func(t *testing.T, alg byte, b []byte) {
		key, err := tap.ParseKey(tap.Algorithm(alg), b)
		if err != nil {
			assert.Contains(t, []string{"malformed", "unsupported"}, tap.Class(err))
			return
		}
		assert.Equal(t, b, key.Bytes())
		u := tap.URL{ID: key.ID(), Counter: 1, Signature: make([]byte, key.Algorithm().SignatureLen())}
		if key.Algorithm() != tap.Ed25519 { // a key of small order verifies anything; it is no key of a card
			assert.ErrorIs(t, u.Verify(key), tap.ErrBadSignature)
		}
	})
}
