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
	reportRate   = 1.0 / 60
	reportBurst  = 5
	bundleRate   = 0.2 // a bundle reads and proves all that the ledger holds of a card
	bundleBurst  = 10
	checkRate    = 0.1 // of checks that are kept and tell nothing new
	checkBurst   = 30
)

func newLimits(rate float64, now func() time.Time) limits {
	limiter := func(rate float64, burst int) *edge.Limiter {
		return edge.NewLimiter(edge.LimiterOptions{Rate: rate, Burst: burst, Keys: limitedKeys, Now: now})
	}
	return limits{
		"net": limiter(rate, int(networkBurst*rate)), "key": limiter(apiKeyRate, apiKeyBurst),
		"look": limiter(lookRate, lookBurst), "record": limiter(recordRate, recordBurst),
		"report": limiter(reportRate, reportBurst), "bundle": limiter(bundleRate, bundleBurst),
		"check": limiter(checkRate, checkBurst),
	}
}

// allow is the Limit of the rooms. A key begins with its kind: "net" with a network, "key" with an API key, "look" with a card and a
// network, "record" with a card, "report" and "bundle" with a network, "check" as isKept has it. What is of none of these is limited as requests of a network are.
func (l limits) allow(key string) (retryAfter time.Duration, ok bool) {
	kind, _, _ := strings.Cut(strings.Map(func(r rune) rune {
		if r == ':' || r == '/' {
			return ' '
		}
		return r
	}, key), " ")
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
			s.problem(w, r, http.StatusTooManyRequests, edge.CodeTooMany)
			return
		}
		room.ServeHTTP(w, r)
	})
}
