package registry

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Rows that were written before anything could move have no more values than the first, and their seals hold.
func TestRowsThatNeverMovedKeepTheirSeals(t *testing.T) {
	k := sealer{1}
	before := []any{[]byte("taps"), int64(7), "in_service"}
	mac := k.seal("heads", before...)
	row := func(place, was any) []any { return append(append([]any{}, before...), place, was, mac) }
	assert.True(t, k.sealed("heads", row("", "")))
	assert.True(t, k.sealed("heads", row("", int64(0))))
	for _, more := range [][2]any{{"a", ""}, {"", "in_service"}, {"", int64(1)}, {nil, ""}, {"", nil}, {[]byte{}, ""}} {
		assert.False(t, k.sealed("heads", row(more[0], more[1])), "%v", more)
	}
	assert.False(t, k.sealed("cards", row("", "")), "another table's seal")
	assert.False(t, k.sealed("heads", append(append([]any{}, before...), "a", "", "", int64(0), mac)), "a pair that is not empty before one that is")
	moved := append(append([]any{}, before...), "log.example.org", "in_service")
	assert.True(t, k.sealed("heads", append(moved, k.seal("heads", moved...))))
	assert.False(t, k.sealed("heads", row("", "")[:5]))
}
