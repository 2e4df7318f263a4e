package ledger_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

const (
	origin = "log.example/test"
	// Keys for tests alone. The base64 of the first holds a plus sign, which also separates the parts.
	signerKey  = "PRIVATE+KEY+log.example/test+cf44e3f3+AXA0xvsbBSgWEK3CFmdpdP+QEp2sJmdXK9+lkTUKw+az"
	witnessKey = "PRIVATE+KEY+witness.example/test+1e9619bc+AaF/U7K/ARjytXH4PV0DYEjPC0wjI/skU7Ds+HHJcf4w"
)

var recorded = time.UnixMilli(1790000000999).UTC()

func signer(t testing.TB, key string) ledger.Signer {
	s, err := ledger.NewSigner(key)
	require.NoError(t, err)
	return s
}

func verifier(t testing.TB, s ledger.Signer) note.Verifier {
	v, err := note.NewVerifier(s.VerifierKey())
	require.NoError(t, err)
	return v
}

// message returns message n of a public channel, after no particular one.
func message(t testing.TB, n uint64, body string) channel.Message {
	m, err := channel.NewAuthor(channel.Seed{1}, channel.Public).Sign(channel.Draft{Number: n, Time: recorded, Body: []byte(body)})
	require.NoError(t, err)
	return m
}

// proved returns the leaf of m among others, proved under a checkpoint signed by all signers.
func proved(t testing.TB, m channel.Message, signers ...note.Signer) ledger.Proof {
	var hashes tree
	leaf := ledger.Leaf{Time: recorded, Stub: m.Stub()}
	for i := range int64(5) {
		l := ledger.Leaf{Time: recorded, Stub: message(t, uint64(100+i), "").Stub()}
		if i == 2 {
			l = leaf
		}
		stored, err := tlog.StoredHashesForRecordHash(i, l.Hash(), hashes)
		require.NoError(t, err)
		hashes = append(hashes, stored...)
	}
	root, err := tlog.TreeHash(5, hashes)
	require.NoError(t, err)
	checkpoint, err := ledger.SignCheckpoint(ledger.Checkpoint{Origin: origin, Size: 5, Root: root}, signers...)
	require.NoError(t, err)
	proof, err := ledger.NewLogProof(leaf, 2, 5, checkpoint, hashes)
	require.NoError(t, err)
	return proof
}

func policy(s ledger.Signer) ledger.Policy {
	return ledger.Policy{Logs: []ledger.LogKey{{Origin: origin, Key: s.VerifierKey()}}}
}

func TestPolicyVerifies(t *testing.T) {
	s := signer(t, signerKey)
	m := message(t, 7, "body")
	proof := proved(t, m, s, signer(t, witnessKey)) // a signature by somebody unknown is ignored
	receipt, err := policy(s).Verify(m, proof)
	require.NoError(t, err)
	assert.Equal(t, ledger.Receipt{Ledger: origin, Channel: m.Channel(), Number: 7, Hash: m.Hash(),
		Index: 2, Time: recorded, Phase: ledger.Final, Proof: proof}, receipt)
}

func TestPolicyRefuses(t *testing.T) {
	s, other := signer(t, signerKey), signer(t, witnessKey)
	m := message(t, 7, "body")
	proof := proved(t, m, s)
	otherOrigin := ledger.Policy{Logs: []ledger.LogKey{{Origin: origin + "2", Key: s.VerifierKey()}}}
	for name, row := range map[string]struct {
		policy  ledger.Policy
		message channel.Message
		proof   ledger.Proof
	}{
		"without any log":   {ledger.Policy{}, m, proof},
		"other key":         {policy(other), m, proof},
		"other origin":      {otherOrigin, m, proof},
		"other message":     {policy(s), message(t, 7, "ydob"), proof},
		"no message":        {policy(s), channel.Message{}, proof},
		"no proof":          {policy(s), m, ledger.Proof{}},
		"unknown kind":      {policy(s), m, ledger.Proof{Kind: "oracle", Text: proof.Text}},
		"signed by another": {policy(s), m, proved(t, m, other)},
	} {
		_, err := row.policy.Verify(row.message, row.proof)
		assert.ErrorIs(t, err, ledger.ErrInvalidProof, name)
	}
}

// TestPolicyRefusesEveryTamperedBit flips each bit, drops each byte and doubles it.
func TestPolicyRefusesEveryTamperedBit(t *testing.T) {
	s := signer(t, signerKey)
	m := message(t, 7, "body")
	proof := proved(t, m, s)
	refuse := func(text []byte, what string, at int) {
		_, err := policy(s).Verify(m, ledger.Proof{Kind: ledger.KindTlog, Text: text})
		require.ErrorIs(t, err, ledger.ErrInvalidProof, "%s %d", what, at)
	}
	for i := range proof.Text {
		for bit := range 8 {
			text := bytes.Clone(proof.Text)
			text[i] ^= 1 << bit
			refuse(text, "bit of byte", i)
		}
		refuse(append(bytes.Clone(proof.Text[:i]), proof.Text[i+1:]...), "dropped byte", i)
		refuse(append(bytes.Clone(proof.Text[:i+1]), proof.Text[i:]...), "doubled byte", i)
	}
}

func TestParseCheckpointRefuses(t *testing.T) {
	s := signer(t, signerKey)
	sign := func(text string) string {
		signed, err := note.Sign(&note.Note{Text: text}, s)
		require.NoError(t, err)
		return string(signed)
	}
	root := tlog.Hash{1}.String()
	good := sign(origin + "\n5\n" + root + "\n")
	_, err := ledger.ParseCheckpoint([]byte(good), origin, verifier(t, s))
	require.NoError(t, err)
	_, err = ledger.ParseCheckpoint([]byte(sign(origin+"\n5\n"+root+"\nextension\n")), origin, verifier(t, s))
	require.NoError(t, err)

	signature := good[strings.Index(good, "\n\n")+2:]
	for name, text := range map[string]string{
		"empty":            "",
		"not signed":       origin + "\n5\n" + root + "\n\n",
		"other origin":     sign("log.example/other\n5\n" + root + "\n"),
		"empty origin":     sign("\n5\n" + root + "\n"),
		"no root":          sign(origin + "\n5\n"),
		"negative size":    sign(origin + "\n-5\n" + root + "\n"),
		"leading zero":     sign(origin + "\n05\n" + root + "\n"),
		"plus sign":        sign(origin + "\n+5\n" + root + "\n"),
		"size too great":   sign(origin + "\n9223372036854775808\n" + root + "\n"),
		"short root":       sign(origin + "\n5\n" + root[4:] + "\n"),
		"other last digit": sign(origin + "\n5\n" + root[:42] + "B=\n"),
		"empty extension":  sign(origin + "\n5\n" + root + "\n\nextension\n"),
		"signature twice":  good + signature,
		"too long":         sign(origin + "\n5\n" + root + "\n" + strings.Repeat("x", 16<<10) + "\n"),
	} {
		_, err := ledger.ParseCheckpoint([]byte(text), origin, verifier(t, s))
		assert.ErrorIs(t, err, ledger.ErrInvalidProof, name)
	}
}

func TestSignCheckpointRefuses(t *testing.T) {
	for _, c := range []ledger.Checkpoint{{}, {Origin: "a\nb"}, {Origin: origin, Size: 1 << 63}} {
		_, err := ledger.SignCheckpoint(c, signer(t, signerKey))
		assert.Error(t, err, "%v", c)
	}
}

func TestNewSignerRefuses(t *testing.T) {
	for _, key := range []string{"", "PRIVATE+KEY", signerKey[1:], signerKey + "A", signer(t, signerKey).VerifierKey()} {
		_, err := ledger.NewSigner(key)
		assert.Error(t, err, "%q", key)
	}
}

func TestParseLeafRefuses(t *testing.T) {
	good := ledger.AppendLeaf(nil, ledger.Leaf{Time: recorded, Stub: message(t, 7, "body").Stub()})
	late := bytes.Clone(good)
	late[5] = 0xff
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	for name, row := range map[string]struct {
		leaf []byte
		want error
	}{
		"empty":      {nil, channel.ErrMalformed},
		"short":      {good[1:], channel.ErrMalformed},
		"long":       {append(bytes.Clone(good), 0), channel.ErrMalformed},
		"version":    {append([]byte("PIDL\x02"), good[5:]...), channel.ErrMalformed},
		"after 9999": {late, channel.ErrMalformed},
		"forged":     {forged, channel.ErrBadSignature},
	} {
		_, err := ledger.ParseLeaf(row.leaf)
		assert.ErrorIs(t, err, row.want, name)
	}
}

func TestEvidenceIsReadAgain(t *testing.T) {
	s := signer(t, signerKey)
	m := message(t, 7, "body")
	e := ledger.Evidence{Message: m, Proof: proved(t, m, s)}
	text, err := json.MarshalIndent(e, "", "  ")
	require.NoError(t, err)
	again, err := ledger.ParseEvidence(text)
	require.NoError(t, err)
	assert.Equal(t, e, again)
	_, err = again.Verify(policy(s))
	require.NoError(t, err)
}

func TestParseEvidenceRefuses(t *testing.T) {
	m := message(t, 7, "body")
	text, err := json.Marshal(ledger.Evidence{Message: m, Proof: proved(t, m, signer(t, signerKey))})
	require.NoError(t, err)
	good := string(text)
	for name, bad := range map[string]string{
		"empty":             "",
		"not an object":     "[]",
		"no message":        `{"proof":{"kind":"tlog","text":""}}`,
		"message null":      `{"message":null,"proof":{"kind":"a","text":""}}`,
		"proof null":        good[:strings.Index(good, `"proof":`)] + `"proof":null}`,
		"cut":               good[:len(good)-1],
		"followed":          good + "{}",
		"unknown member":    `{"more":1,` + good[1:],
		"repeated member":   `{"message":"AA",` + good[1:],
		"other case":        strings.Replace(good, `"message"`, `"Message"`, 1),
		"repeated kind":     strings.Replace(good, `"kind":"tlog"`, `"kind":"tlog","kind":"x"`, 1),
		"tampered message":  strings.Replace(good, "UElEQw", "UElEQx", 1),
		"proof not a proof": strings.Replace(good, "tlog-proof@v1", "tlog-proof@v2", 1),
	} {
		_, err := ledger.ParseEvidence([]byte(bad))
		assert.Error(t, err, name)
	}
}

func TestReceiptIsJSONForPeople(t *testing.T) {
	m := message(t, 7, "body")
	receipt, err := policy(signer(t, signerKey)).Verify(m, proved(t, m, signer(t, signerKey)))
	require.NoError(t, err)
	text, err := json.Marshal(receipt)
	require.NoError(t, err)
	for _, part := range []string{`"channel":"` + m.Channel().String(), `"hash":"` + m.Hash().String(), `"phase":"final"`,
		`"time":"2026-09-21T14:13:20.999Z"`, `"text":"c2sp.org/tlog-proof@v1\nextra `} {
		assert.Contains(t, string(text), part)
	}
	var again ledger.Receipt
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, receipt, again)

	receipt.Proof = ledger.Proof{}
	text, err = json.Marshal(receipt)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "proof")
}

func TestPhaseAndPositionText(t *testing.T) {
	for p := ledger.Taken; p <= ledger.Anchored; p++ {
		text, err := p.MarshalText()
		require.NoError(t, err)
		var again ledger.Phase
		require.NoError(t, again.UnmarshalText(text))
		assert.Equal(t, p, again)
	}
	var p ledger.Phase
	require.Error(t, p.UnmarshalText(nil))
	require.Error(t, p.UnmarshalText([]byte("later")))
	assert.Equal(t, "phase(9)", ledger.Phase(9).String())

	var position ledger.Position
	require.NoError(t, position.UnmarshalText([]byte("18446744073709551615")))
	assert.Equal(t, "18446744073709551615", position.String())
	require.Error(t, position.UnmarshalText([]byte("-1")))
}
