package edge_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/productid/productid/host/edge"
)

func TestLimiterLetsABurstThroughAndThenTheRate(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := edge.NewLimiter(edge.LimiterOptions{Rate: 2, Burst: 3, Keys: 10, Now: func() time.Time { return now }})
	for range 3 {
		_, ok := l.Allow("a")
		assert.True(t, ok)
	}
	for range 5 { // to ask again and again does not lengthen the wait
		wait, ok := l.Allow("a")
		assert.False(t, ok)
		assert.Equal(t, 500*time.Millisecond, wait)
	}
	_, ok := l.Allow("b")
	assert.True(t, ok, "another key has its own")
	now = now.Add(500 * time.Millisecond)
	_, ok = l.Allow("a")
	assert.True(t, ok)
	_, ok = l.Allow("a")
	assert.False(t, ok)
}

func TestLimiterForgetsWhoAskedLongestAgo(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := edge.NewLimiter(edge.LimiterOptions{Rate: 0.001, Burst: 1, Keys: 3, Now: func() time.Time { return now }})
	for i := range 1000 {
		_, ok := l.Allow(fmt.Sprint(i))
		assert.True(t, ok)
	}
	_, ok := l.Allow("999")
	assert.False(t, ok, "remembered")
	_, ok = l.Allow("998")
	assert.False(t, ok, "remembered")
	_, ok = l.Allow("5")
	assert.True(t, ok, "forgotten")
	_, ok = l.Allow("999")
	assert.False(t, ok, "asking is what keeps a key")
}
