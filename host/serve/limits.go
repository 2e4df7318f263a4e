package serve

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/productid/productid/host/edge"
)

// limits are the limiters by what their keys begin with.
type limits map[string]*edge.Limiter

// How many keys of each kind are remembered, and how many requests an API key and a card may make. A card is tapped by one hand at a
// time: what comes faster is a program that tries something.
const (
	limitedKeys  = 50_000
	apiKeyRate   = 50
	apiKeyBurst  = 200
	lookRate     = 1
	lookBurst    = 30
	recordRate   = 1
	recordBurst  = 60
	networkBurst = 10 // times the rate
)

func newLimits(rate float64, now func() time.Time) limits {
	limiter := func(rate float64, burst int) *edge.Limiter {
		return edge.NewLimiter(edge.LimiterOptions{Rate: rate, Burst: burst, Keys: limitedKeys, Now: now})
	}
	return limits{
		"net": limiter(rate, int(networkBurst*rate)), "key": limiter(apiKeyRate, apiKeyBurst),
		"look": limiter(lookRate, lookBurst), "record": limiter(recordRate, recordBurst),
	}
}

// allow is the Limit of the rooms. A key begins with its kind: "net:", "key:", "look" with a card and a network, "record" with a card.
func (l limits) allow(key string) (retryAfter time.Duration, ok bool) {
	kind, _, _ := strings.Cut(strings.Replace(key, ":", " ", 1), " ")
	limiter, known := l[kind]
	if !known {
		limiter = l["net"]
	}
	return limiter.Allow(key)
}

// limited is a room that answers a network no faster than it may ask.
func (s *Service) limited(room http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wait, ok := s.limits.allow("net:" + edge.Network(edge.Client(r.Context())))
		if !ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
			http.Error(w, "too many requests from your network; try again in a moment", http.StatusTooManyRequests)
			return
		}
		room.ServeHTTP(w, r)
	})
}
