package desk

import (
	"context"
	"sync"

	"github.com/productid/productid/pkg/record"
	"github.com/productid/productid/pkg/tap"
)

// known keeps settings that were read, by the hash of their message: they never change. Two generations, of which the older one is dropped
// when the newer one is full.
type known struct {
	mu           sync.Mutex
	newer, older map[string]record.Settings
}

// knownSize is how many settings a generation holds.
const knownSize = 1024

// settings returns those that a head of the card's tap channel names. The hash is of a message that names its channel and so its card.
func (d *Desk) settings(ctx context.Context, id tap.CardID, hash string) (record.Settings, error) {
	if hash == "" {
		return record.Settings{}, nil
	}
	if s, ok := d.known.get(hash); ok {
		return s, nil
	}
	s, err := d.Settings.At(ctx, id, hash)
	if err == nil {
		d.known.put(hash, s)
	}
	return s, err
}

func (k *known) get(hash string) (record.Settings, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if s, ok := k.newer[hash]; ok {
		return s, true
	}
	s, ok := k.older[hash]
	return s, ok
}

func (k *known) put(hash string, s record.Settings) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.newer) >= knownSize {
		k.newer, k.older = nil, k.newer
	}
	if k.newer == nil {
		k.newer = make(map[string]record.Settings)
	}
	k.newer[hash] = s
}
