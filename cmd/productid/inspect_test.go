package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"github.com/productid/productid/pkg/ledger"
)

// TestInspectChecksWhatALogSigned: checkpoints and proofs, under the key that is given and without one.
func TestInspectChecksWhatALogSigned(t *testing.T) {
	private, _, err := note.GenerateKey(bytes.NewReader(make([]byte, 64)), "log.example.com")
	require.NoError(t, err)
	signer, err := ledger.NewSigner(private)
	require.NoError(t, err)
	checkpoint, err := ledger.SignCheckpoint(ledger.Checkpoint{Origin: "log.example.com", Size: 7}, signer)
	require.NoError(t, err)
	proof := ledger.LogProof{Index: 3, Checkpoint: checkpoint, Extra: make([]byte, 8)}.Marshal()

	a := &app{streams: streams{strings.NewReader(""), io.Discard, io.Discard, func(string) string { return "" }}}
	a.flags.data = t.TempDir()
	trusting := trustFlags{origin: "log.example.com", key: signer.VerifierKey()}
	for _, row := range []struct {
		name        string
		text        []byte
		trust       trustFlags
		kind, holds string
	}{
		{"checkpoint of a trusted log", checkpoint, trusting, "a log's checkpoint", holdsYes},
		{"checkpoint, nobody trusted", checkpoint, trustFlags{}, "a log's checkpoint", holdsUnknown},
		{"checkpoint that was changed", bytes.Replace(checkpoint, []byte("\n7\n"), []byte("\n8\n"), 1), trusting, "a log's checkpoint", holdsNo},
		{"proof", proof, trusting, "a log's inclusion proof", holdsUnknown},
		{"proof that was cut", proof[:40], trusting, "a log's inclusion proof", holdsNo},
	} {
		found, ok := (&inspector{ctx: t.Context(), app: a, trust: row.trust}).look(row.text)
		require.True(t, ok, row.name)
		assert.Equal(t, row.kind, found.Kind, row.name)
		assert.Equal(t, row.holds, found.Holds, "%s: %s", row.name, found.Why)
	}
}

// FuzzInspect: whatever is pasted, inspect neither falls nor says that something holds without saying what it is.
func FuzzInspect(f *testing.F) {
	for _, seed := range []string{
		"https://tap.example.com/t?i=sCwcVia7OYj7c7jW&c=00000001&s=NPLWDsNT5Q_jzGm305GsR4R2TmsVluq4Q0B2F1gBAS0y9mD_5XKwkqFmphjHhlQWKX1iytSdUA0jryxjeCVzDA",
		"sCwcVia7OYj7c7jW", "KUndOoMzHRZtbp6dL6887piiFvEFfJillaGNjWCs9_M", "pidc1:KUndOoMzHRZtbp6dL6887piiFvEFfJillaGNjWCs9_M",
		"https://tap.example.com/01/09520123456788/21/sCwcVia7OYj7c7jW?c=00000001", "https://tap.example.com/01/09520123456789", "9520123456788", "376104250021234569", "00840008",
		"00A4040007D276000085010100", "6985", "D1010C55046578616D706C652E636F6D", `{"kind":"card.in_service","last":3,"state":"in_service"}`,
		`{"message":"","proof":{"kind":"tlog","text":""}}`, `{"logs":[{"origin":"a","key":"b"}]}`, "log.example.com\n1\nAAAA\n\n— log.example.com AAAA\n",
		"c2sp.org/tlog-proof@v1\nindex 0\n\n", "PIDC", "PIDL", "",
	} {
		f.Add([]byte(seed))
	}
	a := &app{streams: streams{strings.NewReader(""), io.Discard, io.Discard, func(string) string { return "" }}}
	a.console = a.openConsole()
	a.flags.data = f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		found, ok := (&inspector{ctx: t.Context(), app: a}).look(text)
		if !ok {
			assert.Zero(t, found.Kind)
			return
		}
		assert.NotEmpty(t, found.Kind)
		assert.NotEmpty(t, found.Why)
		assert.Contains(t, []string{holdsYes, holdsNo, holdsUnknown}, found.Holds)
	})
}
