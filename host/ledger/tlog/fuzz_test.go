package tlog

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	merkle "golang.org/x/mod/sumdb/tlog"

	"github.com/productid/productid/pkg/channel"
	"github.com/productid/productid/pkg/ledger"
)

// FuzzRow gives a row of any content to the reader and to the checker, as if the
// tree were as large as can be. Neither panics; what the reader accepts is genuine
// and is what stands in the row; the checker is content with nothing else.
func FuzzRow(f *testing.F) {
	a := author(1)
	m := sign(f, a, 0, channel.Hash{}, "body")
	hash := ledger.Leaf{Time: time.UnixMilli(1790000000000), Stub: m.Stub()}.Hash()
	f.Add(int64(0), int64(0), int64(1790000000000), hash[:], m.Stub().Bytes(), m.Payload())
	f.Add(int64(1), int64(1), int64(-1), append(hash[:], hash[:]...), m.Stub().Bytes(), []byte("other"))
	f.Add(int64(-1), int64(0), int64(0), make([]byte, 65*merkle.HashSize), []byte{}, []byte{})
	f.Add(int64(math.MaxInt64), int64(0), int64(math.MaxInt64), make([]byte, 64*merkle.HashSize), []byte("PIDC\x01"), []byte{})
	f.Fuzz(func(t *testing.T, leaf, number, ms int64, hashes, stub, payload []byte) {
		r := row{leaf: leaf, channel: key(a.Channel()), number: number, time: ms, hashes: hashes, stub: stub, payload: payload}
		read, err := r.message(nil)
		if err == nil {
			require.Equal(t, stub, read.Stub().Bytes())
			require.Equal(t, string(payload), string(read.Payload()))
		} else {
			require.ErrorIs(t, err, ErrCorrupt)
		}
		tree := &signedTree{Checkpoint: ledger.Checkpoint{Size: math.MaxInt64}}
		c := &checker{view: &view{tree: tree}, Report: &Report{}, channels: map[int64]*checkedChannel{r.channel: {id: a.Channel()}}}
		c.leaf(r)
		if c.Clean() {
			require.NoError(t, err)
			require.Equal(t, m.Hash(), read.Hash())
			require.Equal(t, ledger.Leaf{Time: time.UnixMilli(ms), Stub: read.Stub()}.Hash(), merkle.Hash(hashes))
		}
	})
}
