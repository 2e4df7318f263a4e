package redirect

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata/vectors/redirect.json anew")

const vectorsFile = "../../testdata/vectors/redirect.json"

// vectors are what every checker of redirect tokens answers, in whatever language.
type vectors struct {
	Format   string          `json:"format"`
	Issuer   string          `json:"issuer"`
	Audience string          `json:"audience"`
	Now      int64           `json:"now"` // Unix seconds
	JWKS     json.RawMessage `json:"jwks"`
	Cases    []vector        `json:"cases"`
}

type vector struct {
	Name   string `json:"name"`
	Token  string `json:"token"`
	Expect string `json:"expect"` // ok, or the class of the refusal: see docs/redirect.md
}

// classes are the errors that this service gives for a class: it tells fewer apart, as its callers do nothing else then.
var classes = map[string]error{
	"ok": nil, "expired": ErrExpiredToken, "other_audience": ErrOtherAudience,
	"malformed": ErrBadToken, "unknown_key": ErrBadToken, "bad_signature": ErrBadToken, "wrong_issuer": ErrBadToken, "not_yet": ErrBadToken,
}

func tokenBase64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// forge signs any header and payload with a key.
func forge(key ed25519.PrivateKey, header, payload string) string {
	signed := tokenBase64([]byte(header)) + "." + tokenBase64([]byte(payload))
	return signed + "." + tokenBase64(ed25519.Sign(key, []byte(signed)))
}

// maker writes each case as a change of one good token.
type maker struct {
	*vectors
	key     ed25519.PrivateKey
	keyID   string
	header  string
	payload string
}

func makeVectors(s *Service, now int64) vectors {
	m := maker{
		vectors: &vectors{Format: "productid-redirect", Issuer: issuer, Audience: "https://shop.example", Now: now, JWKS: s.JWKS()},
		key:     ed25519.NewKeyFromSeed(s.Key[:]), keyID: s.keyID,
		header: `{"alg":"EdDSA","kid":"` + s.keyID + `","typ":"productid-redirect+jwt"}`,
		payload: `{"iss":"https://tap.example.com","aud":"https://shop.example","sub":"AQIDBAUGBwgJCgsM","ctr":42,` +
			`"iat":1800000000,"exp":1800000060,"jti":"AAECAwQFBgcICQoLDA0ODw"}`,
	}
	m.add("good", forge(m.key, m.header, m.payload), "ok")
	m.claims()
	m.headers()
	m.texts()
	return *m.vectors
}

func (m maker) add(name, token, expect string) {
	m.Cases = append(m.Cases, vector{name, token, expect})
}

// with signs the payload with changes.
func (m maker) with(name, expect string, change ...string) {
	m.add(name, forge(m.key, m.header, strings.NewReplacer(change...).Replace(m.payload)), expect)
}

// headed signs the payload under the header with a change.
func (m maker) headed(name, expect, old, new string) {
	m.add(name, forge(m.key, strings.Replace(m.header, old, new, 1), m.payload), expect)
}

func (m maker) claims() {
	m.with("expired within the tolerance", "ok", "1800000000", "1799999935", "1800000060", "1799999995")
	m.with("expired", "expired", "1800000000", "1799999934", "1800000060", "1799999994")
	m.with("of a clock ahead within the tolerance", "ok", "1800000000", "1800000005", "1800000060", "1800000065")
	m.with("from the future", "not_yet", "1800000000", "1800000006", "1800000060", "1800000066")
	m.with("another site", "other_audience", "https://shop.example", "https://other.example")
	m.with("a site whose name begins so", "other_audience", "https://shop.example", "https://shop.example.evil.example")
	m.with("another service", "wrong_issuer", "https://tap.example.com", "https://evil.example")
	m.with("good for an hour", "malformed", "1800000060", "1800003600")
	m.with("counter is a text", "malformed", `"ctr":42`, `"ctr":"42"`)
	m.with("counter beyond 32 bits", "malformed", `"ctr":42`, `"ctr":4294967296`)
	m.with("no token id", "malformed", `,"jti":"AAECAwQFBgcICQoLDA0ODw"`, "")
	m.with("no card", "malformed", `"sub":"AQIDBAUGBwgJCgsM",`, "")
	m.with("no expiry", "malformed", `"exp":1800000060,`, "")
	m.with("audience is a list", "malformed", `"https://shop.example"`, `["https://shop.example"]`)
	m.with("payload is no object", "malformed", m.payload, "[]")
}

func (m maker) headers() {
	m.headed("alg none", "malformed", "EdDSA", "none")
	m.headed("alg None", "malformed", "EdDSA", "None")
	m.headed("alg of RSA", "malformed", "EdDSA", "RS256")
	m.headed("another type", "malformed", "productid-redirect+jwt", "JWT")
	m.headed("critical extension", "malformed", `{`, `{"crit":["exp"],"exp":1800000060,`)
	m.headed("another key's id", "unknown_key", m.keyID, "another")
	m.headed("no key id", "malformed", `"kid":"`+m.keyID+`",`, "")
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	m.add("another key under this id", forge(other, m.header, m.payload), "bad_signature")
	jwk := `{"jwk":{"kty":"OKP","crv":"Ed25519","x":"` + tokenBase64(other.Public().(ed25519.PublicKey)) + `"},`
	m.add("key in the header", forge(other, strings.Replace(m.header, `{`, jwk, 1), m.payload), "bad_signature")
	unsigned := tokenBase64([]byte(strings.Replace(m.header, "EdDSA", "none", 1))) + "." + tokenBase64([]byte(m.payload)) + "."
	m.add("alg none and no signature", unsigned, "malformed")
	hashed := tokenBase64([]byte(strings.Replace(m.header, "EdDSA", "HS256", 1))) + "." + tokenBase64([]byte(m.payload))
	mac := hmac.New(sha256.New, m.key.Public().(ed25519.PublicKey))
	mac.Write([]byte(hashed))
	m.add("public key as the key of an HMAC", hashed+"."+tokenBase64(mac.Sum(nil)), "malformed")
}

func (m maker) texts() {
	good := m.Cases[0].Token
	parts := strings.Split(good, ".")
	changed := tokenBase64([]byte(strings.Replace(m.payload, `"ctr":42`, `"ctr":43`, 1)))
	m.add("altered payload", parts[0]+"."+changed+"."+parts[2], "bad_signature")
	m.add("altered signature", parts[0]+"."+parts[1]+"."+flip(parts[2]), "bad_signature")
	m.add("short signature", parts[0]+"."+parts[1]+"."+parts[2][:40], "bad_signature")
	m.add("no signature", parts[0]+"."+parts[1]+".", "bad_signature")
	m.add("two parts", parts[0]+"."+parts[1], "malformed")
	m.add("four parts", good+"."+parts[2], "malformed")
	m.add("padded", good+"==", "malformed")
	m.add("stray bits", good[:len(good)-1]+string(strayBits(good[len(good)-1])), "malformed")
	m.add("line break", parts[0]+".\n"+parts[1]+"."+parts[2], "malformed")
	m.add("empty", "", "malformed")
	m.add("no base64url", "a+/.b.c", "malformed")
	m.add("no JSON", forge(m.key, "EdDSA", m.payload), "malformed")
}

// flip changes one bit in the middle.
func flip(signature string) string {
	b, _ := base64.RawURLEncoding.DecodeString(signature)
	b[20] ^= 1
	return tokenBase64(b)
}

// strayBits returns the next letter of the alphabet: 64 bytes leave four bits of the last one unused.
func strayBits(last byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[strings.IndexByte(alphabet, last)+1]
}

func TestVectorsHold(t *testing.T) {
	const now = 1_800_000_000
	at := func() time.Time { return time.Unix(now, 0) }
	fresh := func() *Service { return openAt(t, t.TempDir()+"/redirect.db", at) }
	text, err := json.MarshalIndent(makeVectors(fresh(), now), "", " ")
	require.NoError(t, err)
	text = append(text, '\n')
	if *update {
		require.NoError(t, os.WriteFile(vectorsFile, text, 0o644))
	}
	kept, err := os.ReadFile(vectorsFile)
	require.NoError(t, err)
	require.Equal(t, string(kept), string(text), "run the test with -update, and look at what changed")

	var v vectors
	require.NoError(t, json.Unmarshal(kept, &v))
	for _, c := range v.Cases {
		want, known := classes[c.Expect]
		require.True(t, known, "%s: class %s", c.Name, c.Expect)
		_, err := fresh().Verify(t.Context(), c.Token, v.Audience)
		assert.True(t, errors.Is(err, want), "%s: %v, want %s", c.Name, err, c.Expect)
	}
}

// Whatever the text: it is refused as no token, unless the key signed it.
func FuzzVerify(f *testing.F) {
	s, err := newService(options(func() time.Time { return time.Unix(1_800_000_000, 0) }, nil))
	require.NoError(f, err)
	signed := map[string]bool{}
	for _, c := range makeVectors(s, 1_800_000_000).Cases {
		f.Add(c.Token)
		signed[c.Token] = signed[c.Token] || c.Expect != "malformed" && c.Expect != "bad_signature" && c.Expect != "unknown_key"
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := s.read(token); err != nil {
			require.ErrorIs(t, err, ErrBadToken)
			return
		}
		require.True(t, signed[token], "%s", token)
	})
}
