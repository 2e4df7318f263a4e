package bundle

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/record/recordtest"
	"github.com/productid/productid/pkg/tap"
)

// chance is a random history on a log of its own, folded as a registry folds it.
type chance struct {
	log    *ledger.Memory
	policy ledger.Policy
	states *record.Map
	cards  []record.Card
}

func newChance(t testing.TB, seed uint64) *chance {
	signer, err := ledger.NewSigner(signerKey)
	require.NoError(t, err)
	random, now := rand.New(rand.NewPCG(seed, 1)), begin
	h := &recordtest.History{Choose: random.IntN}
	c := &chance{states: record.NewMap(), policy: ledger.Policy{Logs: []ledger.LogKey{{Origin: origin, Key: signer.VerifierKey()}}}}
	c.log = ledger.NewMemory(origin, signer, func() time.Time { now = now.Add(1234 * time.Millisecond); return now })
	for i := range uint64(150) {
		m := h.Next()
		require.NoError(t, c.log.List(t.Context(), m.Channel()))
		r, err := c.log.Submit(t.Context(), m)
		require.NoError(t, err)
		require.NoError(t, record.Fold(c.states, ledger.Entry{Message: m, Index: i, Time: r.Time}))
	}
	for _, life := range h.Cards() {
		card, found, err := c.states.Card(life.Card.ID())
		require.NoError(t, err)
		if found {
			c.cards = append(c.cards, card)
		}
	}
	return c
}

// bundles are one of each card.
func (c *chance) bundles(t testing.TB, seed uint64) (all []judged) {
	for _, card := range c.cards {
		data, err := Make(t.Context(), c.log, card.Issuer, card.ID, Options{})
		require.NoError(t, err)
		all = append(all, judged{fmt.Sprintf("card %v of history %d", card.ID, seed), data, c.policy, begin.Add(time.Hour)})
	}
	return all
}

// TestABundleOfAnyHistoryFoldsAsTheWholeLedger: what a bundle leaves out changes nothing that it says.
func TestABundleOfAnyHistoryFoldsAsTheWholeLedger(t *testing.T) {
	for seed := range uint64(25) {
		c := newChance(t, seed)
		for i, j := range c.bundles(t, seed) {
			r, err := Verify(j.data, j.policy, j.now)
			require.NoError(t, err, j.name)
			want := c.cards[i].On(origin)
			assert.Equal(t, []any{want.State, want.Last, want.Recorded, want.Settings, want.Taps, want.Issuer},
				[]any{r.State, r.Last, r.Taps, r.Settings, r.Channel, r.Issuer}, j.name)
			var rejected []Rejection
			for _, x := range c.states.Rejections() {
				if x.Channel == want.Taps {
					rejected = append(rejected, Rejection{x.Number, x.Kind, x.Reason})
				}
			}
			assert.Equal(t, rejected, r.Rejected, j.name)
		}
	}
}

// foreign is a key of another algorithm than taptest's.
type foreign struct {
	alg  tap.Algorithm
	key  tap.Key
	sign func([]byte) []byte
}

// foreigners are an RSA and an Ed25519 key, always the same.
func foreigners(t testing.TB) []foreign {
	seed := sha256.Sum256([]byte("ed25519 card"))
	ed := ed25519.NewKeyFromSeed(seed[:])
	edKey, err := tap.ParseKey(tap.Ed25519, ed.Public().(ed25519.PublicKey))
	require.NoError(t, err)
	private := rsaKey(t)
	rsaBytes := append(private.N.FillBytes(make([]byte, 256)), 1, 0, 1)
	rsaCard, err := tap.ParseKey(tap.RSA2048, rsaBytes)
	require.NoError(t, err)
	return []foreign{
		{tap.Ed25519, edKey, func(b []byte) []byte { return ed25519.Sign(ed, b) }},
		{tap.RSA2048, rsaCard, func(b []byte) []byte {
			digest := sha256.Sum256(b)
			s, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest[:])
			require.NoError(t, err)
			return s
		}},
	}
}

// rsaKey is made of two primes, for tests alone.
func rsaKey(t testing.TB) *rsa.PrivateKey {
	prime := func(text string) *big.Int {
		b, err := base64.RawURLEncoding.DecodeString(text)
		require.NoError(t, err)
		return new(big.Int).SetBytes(b)
	}
	p, q := prime(rsaP), prime(rsaQ)
	one := big.NewInt(1)
	order := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	k := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537}, Primes: []*big.Int{p, q}}
	k.D = new(big.Int).ModInverse(big.NewInt(65537), order)
	require.NoError(t, k.Validate())
	return k
}

// foreignBundles are of cards with other keys: two taps, of which one is signed wrongly.
func foreignBundles(t testing.TB) (all []judged) {
	for _, f := range foreigners(t) {
		w := newWorld(t)
		nonce := make([]byte, 16)
		proof := tap.Challenge{Nonce: nonce, Context: record.RegistrationContext(w.issuer.ID(), w.taps.ID()), Counter: 2}
		b := recordtest.Registered(w.card, w.issuer.ID(), w.taps.ID())
		b.ID, b.Alg, b.Key = f.key.ID(), f.alg.String(), f.key.Bytes()
		b.Prefix, b.Middle = "https://tap.example.com:8443/01/09506000134352/21/", "?c="
		b.Proof = record.Proof{Counter: 2, Nonce: nonce, Signature: f.sign(proof.SignedBytes(f.alg, f.key.ID()))}
		w.say(w.issuer, recordtest.Body(b))
		w.say(w.taps, recordtest.Body(recordtest.InService(2)))
		for c := uint32(3); c < 5; c++ {
			u := tap.URL{ID: f.key.ID(), Counter: c}
			signature := f.sign(u.SignedBytes(f.alg))
			signature[9] ^= byte(c - 3)
			w.say(w.taps, recordtest.Body(record.Tap{ID: u.ID, Counter: record.Counter(c), Signature: signature, Alg: f.alg.String(),
				Action: "update", Last: c, State: record.StateInService}))
		}
		data, err := Make(t.Context(), w.log, w.issuer.ID(), f.key.ID(), Options{})
		require.NoError(t, err)
		all = append(all, judged{f.alg.String(), data, w.policy, w.now})
	}
	return all
}

func TestBundlesOfOtherKeys(t *testing.T) {
	for _, j := range foreignBundles(t) {
		r, err := Verify(j.data, j.policy, j.now)
		require.NoError(t, err, j.name)
		assert.Equal(t, uint64(1), r.Taps)
		assert.Equal(t, []Rejection{{2, record.KindTap, record.ReasonBadSignature}}, r.Rejected)
	}
}

// Primes for tests alone.
const (
	rsaP = "5CNPrQ5YCpOm9_uE_MfBChKs_hBwJpxanjhKNyxCyAACmPUoQgVZT-yvbSkMWPT-f9MF5G6B-Yds7G7ODg2u3VUayAvjeRCeOUZ4GITJfn-359tsMS9W4bT7ZNgWJ2-S_H_vKBHRzGIXDO0c8k08rINFfXnLKdbLNybvqJIEYp0"
	rsaQ = "5UV0BiprUrx7RLDeDZmqHf4HQy0549XjxDa5EhMvwQ-CIVjf_aEwQpstDRva-hirgxFJnIN5WII2AHu4bh7fPmwZSx7Mw809-QLlUq1if6XzhXcZVpytzmuG0BjwKoEPcSp2pUcbp8KAk3zI6p7vuqbSrz5gvB0vDaBR5Ev1jis"
)
