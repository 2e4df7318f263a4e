package ledger_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/pkg/ledger"
	"github.com/productid/productid/pkg/stardust/stardusttest"
)

var cosignedAt = time.Unix(1790000070, 0).UTC()

// witness returns a witness with a key for tests alone.
func witness(t testing.TB, n byte) ledger.WitnessSigner {
	w, err := ledger.NewWitnessSigner(fmt.Sprintf("witness%d.example/test", n), stardusttest.Key(n))
	require.NoError(t, err)
	return w
}

// asWitness makes a witness of a log's signer key.
func asWitness(t testing.TB, key string) ledger.WitnessSigner {
	typed, err := base64.StdEncoding.DecodeString(strings.SplitN(key, "+", 5)[4])
	require.NoError(t, err)
	w, err := ledger.NewWitnessSigner("witness.example", ed25519.NewKeyFromSeed(typed[1:]))
	require.NoError(t, err)
	return w
}

// cosign adds the lines of witnesses to the checkpoint at the end of a text.
func cosign(t testing.TB, text []byte, witnesses ...ledger.WitnessSigner) []byte {
	begin := bytes.Index(text, []byte("\n\n")) + 2
	if !bytes.HasPrefix(text, []byte("c2sp.org/")) {
		begin = 0
	}
	cosigned := bytes.Clone(text)
	for _, w := range witnesses {
		line, err := w.Cosign(text[begin:], cosignedAt)
		require.NoError(t, err)
		cosigned = append(cosigned, line...)
	}
	return cosigned
}

// TestCosignatureIsAsTheStandardHasIt makes line and key once more, by hand.
func TestCosignatureIsAsTheStandardHasIt(t *testing.T) {
	w, private := witness(t, 7), stardusttest.Key(7)
	checkpoint, err := ledger.SignCheckpoint(ledger.Checkpoint{Origin: origin, Size: 5}, signer(t, signerKey))
	require.NoError(t, err)
	body := checkpoint[:bytes.Index(checkpoint, []byte("\n\n"))+1]

	public := private.Public().(ed25519.PublicKey)
	id := sha256.Sum256(append([]byte("witness7.example/test\n\x04"), public...))
	signature := binary.BigEndian.AppendUint64(bytes.Clone(id[:4]), 1790000070)
	signature = append(signature, ed25519.Sign(private, append([]byte("cosignature/v1\ntime 1790000070\n"), body...))...)
	line, err := w.Cosign(checkpoint, cosignedAt)
	require.NoError(t, err)
	assert.Equal(t, "— witness7.example/test "+base64.StdEncoding.EncodeToString(signature)+"\n", string(line))
	assert.Equal(t, fmt.Sprintf("witness7.example/test+%x+%s", id[:4], base64.StdEncoding.EncodeToString(append([]byte{4}, public...))), w.VerifierKey())
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", w, w, w), fmt.Sprint(private[:4]))
}

func TestPolicyAsksForAQuorum(t *testing.T) {
	s, m := signer(t, signerKey), message(t, 7, "body")
	one, two, stranger := witness(t, 7), witness(t, 8), witness(t, 9)
	plain := proved(t, m, s)
	p := policy(s)
	p.Witnesses = []string{one.VerifierKey(), two.VerifierKey()}
	for name, row := range map[string]struct {
		cosigned []ledger.WitnessSigner
		quorum   int
		want     ledger.Phase // 0: refused
	}{
		"nobody asked":              {nil, 0, ledger.Final},
		"both, nobody asked":        {[]ledger.WitnessSigner{one, two}, 0, ledger.Final},
		"one of one":                {[]ledger.WitnessSigner{two}, 1, ledger.Witnessed},
		"two of one":                {[]ledger.WitnessSigner{one, two}, 1, ledger.Witnessed},
		"two of two and a stranger": {[]ledger.WitnessSigner{stranger, two, one}, 2, ledger.Witnessed},
		"none of one":               {nil, 1, 0},
		"a stranger":                {[]ledger.WitnessSigner{stranger}, 1, 0},
		"one of two":                {[]ledger.WitnessSigner{one}, 2, 0},
		"one of two and a stranger": {[]ledger.WitnessSigner{one, stranger}, 2, 0},
		"one twice":                 {[]ledger.WitnessSigner{one, one}, 2, 0},
	} {
		p.Quorum = row.quorum
		proof := ledger.Proof{Kind: ledger.KindTlog, Text: cosign(t, plain.Text, row.cosigned...)}
		receipt, err := p.Verify(m, proof)
		if row.want == 0 {
			assert.ErrorIs(t, err, ledger.ErrInvalidProof, name)
			continue
		}
		require.NoError(t, err, name)
		assert.Equal(t, row.want, receipt.Phase, name)
	}
}

// TestWitnessesAloneDoNotMakeACheckpoint: the log's own signature is asked for first.
func TestWitnessesAloneDoNotMakeACheckpoint(t *testing.T) {
	m, one := message(t, 7, "body"), witness(t, 7)
	p := policy(signer(t, signerKey))
	p.Witnesses, p.Quorum = []string{one.VerifierKey()}, 1
	_, err := p.Verify(m, ledger.Proof{Kind: ledger.KindTlog, Text: cosign(t, proved(t, m, signer(t, witnessKey)).Text, one)})
	assert.ErrorIs(t, err, ledger.ErrInvalidProof)
}

// TestSameWitnessTwiceInAPolicyIsNoQuorum: also in a policy that nobody parsed.
func TestSameWitnessTwiceInAPolicyIsNoQuorum(t *testing.T) {
	s, m, one := signer(t, signerKey), message(t, 7, "body"), witness(t, 7)
	renamed, err := ledger.NewWitnessSigner("another.example", stardusttest.Key(7))
	require.NoError(t, err)
	p := policy(s)
	p.Witnesses, p.Quorum = []string{one.VerifierKey(), renamed.VerifierKey()}, 2
	_, err = p.Verify(m, ledger.Proof{Kind: ledger.KindTlog, Text: cosign(t, proved(t, m, s).Text, one, renamed)})
	assert.ErrorContains(t, err, "have one key")
}

func TestCosignaturesAreFound(t *testing.T) {
	one, two, stranger := witness(t, 7), witness(t, 8), witness(t, 9)
	signed, err := ledger.SignCheckpoint(ledger.Checkpoint{Origin: origin, Size: 5}, signer(t, signerKey))
	require.NoError(t, err)
	checkpoint := cosign(t, signed, stranger, two)
	found, err := ledger.Cosignatures(checkpoint, one.VerifierKey(), two.VerifierKey())
	require.NoError(t, err)
	assert.Equal(t, []ledger.Cosignature{{Witness: two.VerifierKey(), Time: cosignedAt}}, found)
	_, err = ledger.ParseCheckpoint(checkpoint, origin, verifier(t, signer(t, signerKey)))
	require.NoError(t, err)

	found, err = ledger.Cosignatures(signed, one.VerifierKey())
	require.NoError(t, err)
	assert.Empty(t, found)
	_, err = ledger.Cosignatures([]byte("no note"), one.VerifierKey())
	assert.ErrorIs(t, err, ledger.ErrInvalidProof)
	_, err = ledger.Cosignatures(bytes.Repeat([]byte("x"), 1<<15), one.VerifierKey())
	assert.ErrorIs(t, err, ledger.ErrInvalidProof)
	_, err = ledger.Cosignatures(checkpoint, "no key")
	assert.Error(t, err)
}

// TestCosignaturesOfOtherLengthsAreRefused: behind the right name and id.
func TestCosignaturesOfOtherLengthsAreRefused(t *testing.T) {
	one := witness(t, 7)
	signed, err := ledger.SignCheckpoint(ledger.Checkpoint{Origin: origin, Size: 5}, signer(t, signerKey))
	require.NoError(t, err)
	line, err := one.Cosign(signed, cosignedAt)
	require.NoError(t, err)
	whole, err := base64.StdEncoding.DecodeString(strings.TrimSpace(strings.Fields(string(line))[2]))
	require.NoError(t, err)
	for _, n := range []int{5, 11, 12, 75, 77} {
		resized := fmt.Appendf(nil, "— %s %s\n", one.Name(), base64.StdEncoding.EncodeToString(append(whole, 0)[:n]))
		found, err := ledger.Cosignatures(append(bytes.Clone(signed), resized...), one.VerifierKey())
		assert.ErrorIs(t, err, ledger.ErrInvalidProof, "%d bytes", n)
		assert.Empty(t, found)
	}
}

func TestCosignaturesHaveALimit(t *testing.T) {
	text := origin + "\n5\n" + (ledger.Checkpoint{}).Root.String() + "\n" + strings.Repeat("x", 16<<10) + "\n"
	signed, err := note.Sign(&note.Note{Text: text}, signer(t, signerKey))
	require.NoError(t, err)
	_, err = ledger.Cosignatures(signed, witness(t, 7).VerifierKey())
	assert.ErrorIs(t, err, ledger.ErrInvalidProof)
	_, err = witness(t, 7).Cosign(signed, cosignedAt)
	assert.Error(t, err)
}

// TestEveryTamperedBitOfACosignatureIsRefused: of the line's name, id, time and signature.
func TestEveryTamperedBitOfACosignatureIsRefused(t *testing.T) {
	one := witness(t, 7)
	signed, err := ledger.SignCheckpoint(ledger.Checkpoint{Origin: origin, Size: 5}, signer(t, signerKey))
	require.NoError(t, err)
	good := cosign(t, signed, one)
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			found, _ := ledger.Cosignatures(bad, one.VerifierKey())
			if i < bytes.Index(signed, []byte("\n\n")) || i >= len(signed) {
				assert.Empty(t, found, "bit %d of byte %d", bit, i)
			}
		}
	}
}

func TestWitnessSignerRefuses(t *testing.T) {
	for _, name := range []string{"", "with space", "with+plus", "line\nbreak", "\xff"} {
		_, err := ledger.NewWitnessSigner(name, stardusttest.Key(7))
		assert.Error(t, err, "%q", name)
	}
	_, err := ledger.NewWitnessSigner("w", nil)
	assert.Error(t, err)

	w := witness(t, 7)
	checkpoint, err := ledger.SignCheckpoint(ledger.Checkpoint{Origin: origin, Size: 5}, signer(t, signerKey))
	require.NoError(t, err)
	for _, at := range []time.Time{time.Unix(-1, 0), time.Unix(253402300800, 0)} {
		_, err := w.Cosign(checkpoint, at)
		assert.Error(t, err, "%v", at)
	}
	for _, text := range []string{"", "no checkpoint", "a\n5\n\n", string(checkpoint) + "\n\n", strings.Repeat("x", 1<<15) + string(checkpoint)} {
		_, err := w.Cosign([]byte(text), cosignedAt)
		assert.Error(t, err, "%.50q", text)
	}
}
