package store_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/productid/productid/host/store"
)

func TestNoTwoRowsHaveOneSeal(t *testing.T) {
	k := store.Sealer{7}
	seals := map[string]string{}
	for name, seal := range map[string][]byte{
		"row": k.Seal("t", "ab", "c", int64(1), []byte("x")), "parted otherwise": k.Seal("t", "a", "bc", int64(1), []byte("x")),
		"another table": k.Seal("u", "ab", "c", int64(1), []byte("x")), "another kind": k.Seal("t", "ab", "c", int64(1), "x"),
		"another key": store.Sealer{8}.Seal("t", "ab", "c", int64(1), []byte("x")), "shorter": k.Seal("t", "ab", "c", int64(1)),
		"swapped": k.Seal("t", "c", "ab", int64(1), []byte("x")),
	} {
		assert.Len(t, seal, 32, name)
		assert.Empty(t, seals[string(seal)], name)
		seals[string(seal)] = name
	}
	assert.True(t, k.Holds(k.Seal("t", "ab"), "t", "ab"))
	assert.False(t, k.Holds(nil, "t", "ab"))
	assert.False(t, k.Holds(nil, "t", 1.5), "what cannot be sealed does not hold")
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v %s", k, k, k, k), "7")
}
