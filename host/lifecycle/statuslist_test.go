package lifecycle_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/host/registry"
	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// opened is a status list as a stranger reads it, with nothing of ours but the issuer's channel.
type opened struct {
	header, credential map[string]any
	bits               []byte
}

func open(t *testing.T, token []byte, issuer channel.ID) opened {
	t.Helper()
	part := strings.Split(string(token), ".")
	require.Len(t, part, 3)
	decode := func(text string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(text)
		require.NoError(t, err)
		return b
	}
	require.True(t, ed25519.Verify(issuer[:], []byte(part[0]+"."+part[1]), decode(part[2])))
	var o opened
	require.NoError(t, json.Unmarshal(decode(part[0]), &o.header))
	require.NoError(t, json.Unmarshal(decode(part[1]), &o.credential))
	encoded := o.credential["credentialSubject"].(map[string]any)["encodedList"].(string)
	require.Equal(t, byte('u'), encoded[0])
	z, err := gzip.NewReader(bytes.NewReader(decode(encoded[1:])))
	require.NoError(t, err)
	o.bits, err = io.ReadAll(z)
	require.NoError(t, err)
	return o
}

// set lists the indexes whose bit is 1.
func (o opened) set() (indexes []int) {
	for i := range len(o.bits) * 8 {
		if o.bits[i/8]>>(7-i%8)&1 == 1 {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

func TestTheStatusListSaysWhichCardsAreRevoked(t *testing.T) {
	w := newWorld(t)
	first := w.inService("first") // message 1 of the issuer's channel, and so on
	w.inService("second")
	third := w.inService("third")
	issuer := w.issuer.ID()

	token, err := w.StatusList(t.Context(), issuer)
	require.NoError(t, err)
	o := open(t, token, issuer)
	assert.Equal(t, "vc+jwt", o.header["typ"])
	assert.Equal(t, "EdDSA", o.header["alg"])
	assert.Equal(t, o.credential["issuer"], strings.Split(o.header["kid"].(string), "#")[0])
	assert.Equal(t, []any{"VerifiableCredential", "BitstringStatusListCredential"}, o.credential["type"])
	assert.Equal(t, "https://tap.example.com/status/"+issuer.String(), o.credential["id"])
	assert.Equal(t, "revocation", o.credential["credentialSubject"].(map[string]any)["statusPurpose"])
	assert.Len(t, o.bits, 16384)
	assert.Empty(t, o.set())
	from, err := time.Parse(time.RFC3339, o.credential["validFrom"].(string))
	require.NoError(t, err)
	assert.False(t, from.After(w.now))

	_, err = w.Revoke(t.Context(), first.ID(), "lost", "")
	require.NoError(t, err)
	_, err = w.Revoke(t.Context(), third.ID(), "lost", "")
	require.NoError(t, err)
	token, err = w.StatusList(t.Context(), issuer)
	require.NoError(t, err)
	assert.Equal(t, []int{1, 3}, open(t, token, issuer).set(), "at once in the process that revoked them")
	assert.Equal(t, uint64(3), w.card(third).Registered.Number)

	_, err = w.StatusList(t.Context(), channel.ID{9})
	assert.ErrorIs(t, err, registry.ErrUnknownIssuer)
}

func TestAListIsMadeAnewWhenItIsOld(t *testing.T) {
	w := newWorld(t)
	w.inService("card")
	first, err := w.StatusList(t.Context(), w.issuer.ID())
	require.NoError(t, err)
	w.now = w.now.Add(4 * time.Minute)
	again, err := w.StatusList(t.Context(), w.issuer.ID())
	require.NoError(t, err)
	assert.Equal(t, first, again)
	w.now = w.now.Add(2 * time.Minute)
	newer, err := w.StatusList(t.Context(), w.issuer.ID())
	require.NoError(t, err)
	assert.NotEqual(t, first, newer)
	o := open(t, newer, w.issuer.ID())
	until, err := time.Parse(time.RFC3339, o.credential["validUntil"].(string))
	require.NoError(t, err)
	assert.True(t, until.After(w.now.Add(50*time.Minute)))
}

// slow is a ledger whose Follow, by which the registry is brought up to it, waits for a sign.
type slow struct {
	book
	began, goOn chan struct{}
}

func (s *slow) Follow(ctx context.Context, from ledger.Position, fn func([]ledger.Entry, ledger.Position) error) error {
	if s.began != nil {
		s.began <- struct{}{}
		<-s.goOn
	}
	return s.book.Follow(ctx, from, fn)
}

func TestWhoComesWhileAListIsMadeGetsTheOneBefore(t *testing.T) {
	l := &slow{book: ledger.NewMemory(origin, signer(t), time.Now)}
	w := newWorldOn(t, l, filepath.Join(t.TempDir(), "registry.db"))
	w.inService("card")
	first, err := w.StatusList(t.Context(), w.issuer.ID())
	require.NoError(t, err)
	w.now = w.now.Add(6 * time.Minute)
	l.began, l.goOn = make(chan struct{}), make(chan struct{})
	newer := make(chan []byte)
	go func() {
		token, err := w.StatusList(context.Background(), w.issuer.ID())
		assert.NoError(t, err)
		newer <- token
	}()
	<-l.began
	meanwhile, err := w.StatusList(t.Context(), w.issuer.ID())
	require.NoError(t, err)
	assert.Equal(t, first, meanwhile)
	close(l.goOn)
	assert.NotEqual(t, first, <-newer)
}

// reader opens a list in another language: the key comes from the DID alone, as any verifier of credentials finds it.
const reader = `
import base64, gzip, json, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
b64 = lambda t: base64.urlsafe_b64decode(t + '=' * (-len(t) % 4))
token = sys.stdin.read().strip()
header, payload, signature = token.split('.')
h, vc = json.loads(b64(header)), json.loads(b64(payload))
did, fragment = h['kid'].split('#')
assert did == vc['issuer'] and did == 'did:key:' + fragment and fragment[0] == 'z'
n = 0
for c in fragment[1:]: n = n * 58 + '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'.index(c)
key = n.to_bytes(34, 'big')
assert key[:2] == b'\xed\x01'
Ed25519PublicKey.from_public_bytes(key[2:]).verify(b64(signature), (header + '.' + payload).encode())
bits = gzip.decompress(b64(vc['credentialSubject']['encodedList'][1:]))
print(base64.urlsafe_b64encode(key[2:]).rstrip(b'=').decode(), len(bits) * 8, [i for i in range(len(bits) * 8) if bits[i // 8] >> (7 - i % 8) & 1])
`

func TestASecondImplementationReadsTheList(t *testing.T) {
	python := pythonWithCryptography(t)
	w := newWorld(t)
	w.inService("first")
	c := w.inService("second")
	_, err := w.Revoke(t.Context(), c.ID(), "lost", "")
	require.NoError(t, err)
	token, err := w.StatusList(t.Context(), w.issuer.ID())
	require.NoError(t, err)
	run := exec.Command(python, "-c", reader)
	run.Stdin = bytes.NewReader(token)
	said, err := run.CombinedOutput()
	require.NoError(t, err, string(said))
	assert.Equal(t, fmt.Sprintf("%v 131072 [2]\n", w.issuer.ID()), string(said))
}

func pythonWithCryptography(t *testing.T) string {
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(name, "-c", "import cryptography").Run() == nil {
			return name
		}
	}
	const missing = "no Python 3 with the package cryptography (Debian: python3-cryptography)"
	if os.Getenv("PRODUCTID_REQUIRE") == "all" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return ""
}
