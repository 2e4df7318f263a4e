package ledger_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

func TestReadPassesOverWhatWasRemoved(t *testing.T) {
	for _, mode := range []channel.Mode{channel.Public, channel.Restricted} {
		l, author := written(t, mode)
		for _, n := range []uint64{300, 302, 303, 598} { // with 300 goes the word of the rotation
			require.NoError(t, l.Remove(context.Background(), author.Channel(), n))
		}
		var got []uint64
		for opened, err := range ledger.Read(context.Background(), l, author.Capability(300, 300), 300) {
			require.NoError(t, err)
			got = append(got, opened.Message.Number())
		}
		require.Len(t, got, 296)
		assert.Equal(t, []uint64{301, 304, 305}, got[:3])
		assert.Equal(t, []uint64{597, 599}, got[294:])
	}
}

// A ledger cannot break a chain by saying that a message of it was removed.
func TestReadChecksTheChainAlsoWhereAMessageWasRemoved(t *testing.T) {
	l, author := written(t, channel.Public)
	foreign, err := channel.NewAuthor(channel.Seed{9}, channel.Public).Sign(channel.Draft{Number: 5, Time: recorded})
	require.NoError(t, err)
	swapped := lying{l, func(entries []ledger.Entry) []ledger.Entry {
		entries[5].Message = channel.Tombstone(foreign.Stub())
		return entries
	}}
	var last error
	for _, last = range ledger.Read(context.Background(), swapped, author.Capability(0, 0), 0) {
	}
	assert.ErrorIs(t, last, channel.ErrWrongChannel)
}

func TestEvidenceOfARemovedMessage(t *testing.T) {
	s := signer(t, signerKey)
	m := message(t, 7, "body")
	e := ledger.Evidence{Message: channel.Tombstone(m.Stub()), Proof: proved(t, m, s)}
	text, err := json.Marshal(e)
	require.NoError(t, err)
	again, err := ledger.ParseEvidence(text)
	require.NoError(t, err)
	assert.Equal(t, e, again)
	r, err := again.Verify(policy(s))
	require.NoError(t, err, "that it was recorded is proved all the same")
	assert.Equal(t, m.Hash(), r.Hash)

	whole, err := json.Marshal(ledger.Evidence{Message: m, Proof: e.Proof})
	require.NoError(t, err)
	member := string(whole[1 : strings.Index(string(whole), `,"proof"`)+1])
	for name, bad := range map[string]string{
		"stub and message": "{" + member + string(text[1:]),
		"stub null":        `{"stub":null,"proof":{"kind":"a","text":""}}`,
		"neither":          `{"proof":{"kind":"a","text":""}}`,
		"no proof":         string(text[:strings.Index(string(text), `,"proof"`)]) + "}",
		"tampered stub":    strings.Replace(string(text), "UElEQw", "UElEQx", 1),
	} {
		_, err := ledger.ParseEvidence([]byte(bad))
		assert.Error(t, err, name)
	}
}
