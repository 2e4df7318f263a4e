package tlog

import "sync"

// recent keeps what was asked for lately, in two generations: when the young one
// is full, the old one is forgotten. Safe for concurrent use.
type recent[K comparable, V any] struct {
	limit      int // of each generation
	mu         sync.Mutex
	young, old map[K]V
}

func newRecent[K comparable, V any](limit int) *recent[K, V] {
	return &recent[K, V]{limit: limit, young: map[K]V{}}
}

func (r *recent[K, V]) get(key K) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	value, ok := r.young[key]
	if !ok {
		if value, ok = r.old[key]; ok {
			r.keep(key, value)
		}
	}
	return value, ok
}

func (r *recent[K, V]) put(key K, value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep(key, value)
}

func (r *recent[K, V]) keep(key K, value V) {
	if len(r.young) >= r.limit {
		r.young, r.old = map[K]V{}, r.young
	}
	r.young[key] = value
}
