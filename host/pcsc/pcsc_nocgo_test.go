//go:build !cgo && !windows

package pcsc

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestWithoutCgoEveryCallSaysSo(t *testing.T) {
	_, err := List()
	assert.ErrorIs(t, err, ErrUnsupported)
	_, err = Open("")
	assert.ErrorIs(t, err, ErrUnsupported)
	assert.ErrorIs(t, Watch(context.Background(), nil), ErrUnsupported)
}
