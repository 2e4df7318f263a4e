package stardust

import (
	"slices"
	"strings"
	"testing"

	inx "github.com/iotaledger/inx/go"
	iotago "github.com/iotaledger/iota.go/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/blake2b"
)

func TestParseName(t *testing.T) {
	nodes, err := ParseName("stardust:http://127.0.0.1:14265?inx=127.0.0.1:9029,https://node.example/iota?inx=[::1]:9029")
	require.NoError(t, err)
	assert.Equal(t, []Node{
		{REST: "http://127.0.0.1:14265", INX: "127.0.0.1:9029"},
		{REST: "https://node.example/iota", INX: "[::1]:9029"},
	}, nodes)
	for _, bad := range []string{
		"", "stardust:", "http://a?inx=b:1", "stardust:http://a", "stardust:http://a?inx=b", "stardust:http://a?inx=b:0",
		"stardust:http://a?inx=b:65536", "stardust:http://a?inx=:1", "stardust:http://a?inx=b:1&inx=c:2", "stardust:ftp://a?inx=b:1",
		"stardust:http://?inx=b:1", "stardust:http://me:secret@a?inx=b:1", "stardust:http://a?inx=b:1,", "stardust:http://a?inx=b:1,http://a?inx=b:1",
		"stardust:http://a?rest=1&inx=b:1", "stardust:http://a#x?inx=b:1", "http://me:secret@a?inx=b:1", "stardust:http://me:secret@a", "stardust:http://me:secret%@a?inx=b:1",
		"stardust:http://a?inx=me:secret:1",
	} {
		_, err := ParseName(bad)
		require.Error(t, err, bad)
		assert.NotContains(t, err.Error(), "secret", bad)
	}
}

// FuzzParseName: what is accepted is read again from its own text.
func FuzzParseName(f *testing.F) {
	f.Fuzz(func(t *testing.T, name string) {
		nodes, err := ParseName(name)
		if err != nil {
			return
		}
		var texts []string
		for _, n := range nodes {
			texts = append(texts, n.String())
		}
		again, err := ParseName(scheme + strings.Join(texts, ","))
		if err != nil || !slices.Equal(again, nodes) {
			t.Fatalf("%q became %v, %v", name, again, err)
		}
	})
}

// FuzzOutput: whatever a node says an output is, looking at it is safe.
func FuzzOutput(f *testing.F) {
	l := &Ledger{}
	f.Fuzz(func(t *testing.T, raw []byte) {
		u := &update{}
		o := &inx.LedgerOutput{Output: &inx.RawOutput{Data: raw}}
		if l.created(u, o) != nil {
			return
		}
		for _, s := range u.states {
			if m, ok := l.says(s); ok && m.Number() != uint64(s.alias.StateIndex) {
				t.Fatal("message out of its place")
			}
		}
		if err := l.consumed(u, &inx.LedgerSpent{Output: o}); err != nil {
			t.Fatal(err)
		}
	})
}

// FuzzAuthenticate: whatever a node says a block is, comparing it is safe, and no
// other block than the one that was asked for passes.
func FuzzAuthenticate(f *testing.F) {
	l := &Ledger{}
	f.Fuzz(func(t *testing.T, block []byte) {
		s := &state{id: iotago.OutputID{1}, alias: &iotago.AliasOutput{}, from: iotago.BlockID{1}, block: block}
		if l.authenticate(&update{size: 1}, s) == nil {
			t.Fatal("block of another id is taken")
		}
		s.from = blake2b.Sum256(block)
		_ = l.authenticate(&update{size: 1}, s)
	})
}
