package edge

import (
	"container/list"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// LimiterOptions say how often each key may ask.
type LimiterOptions struct {
	Rate  float64 // requests a second, on the long run
	Burst int     // requests at once
	Keys  int     // how many keys are remembered; the one that asked longest ago is forgotten, and begins anew
	Now   func() time.Time
}

// Limiter counts requests by key, a network or a card, in bounded memory.
type Limiter struct {
	o     LimiterOptions
	mu    sync.Mutex
	byKey map[string]*list.Element
	order *list.List // of *bucket, the newest in front
}

type bucket struct {
	key string
	*rate.Limiter
}

// NewLimiter returns a limiter that has seen nobody. Missing options are one request a second, no burst above one, and 10,000 keys.
func NewLimiter(o LimiterOptions) *Limiter {
	if o.Rate <= 0 {
		o.Rate = 1
	}
	o.Burst = max(o.Burst, 1)
	if o.Keys <= 0 {
		o.Keys = 10_000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Limiter{o: o, byKey: map[string]*list.Element{}, order: list.New()}
}

// Allow says whether the key may ask now, which counts, or else how long it has to wait, which does not.
func (l *Limiter) Allow(key string) (retryAfter time.Duration, ok bool) {
	now := l.o.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.bucket(key).ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return wait, false
	}
	return 0, true
}

func (l *Limiter) bucket(key string) *bucket {
	if e, ok := l.byKey[key]; ok {
		l.order.MoveToFront(e)
		return e.Value.(*bucket)
	}
	if l.order.Len() >= l.o.Keys {
		oldest := l.order.Back()
		delete(l.byKey, oldest.Value.(*bucket).key)
		l.order.Remove(oldest)
	}
	b := &bucket{key, rate.NewLimiter(rate.Limit(l.o.Rate), l.o.Burst)}
	l.byKey[key] = l.order.PushFront(b)
	return b
}
