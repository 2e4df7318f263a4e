package tiles

import (
	"sync"

	merkle "golang.org/x/mod/sumdb/tlog"
)

// maxCached bounds the tiles in memory, 8 KiB each.
const maxCached = 1024

// cache keeps tiles that give a signed root; a full one begins anew. Safe for
// concurrent use.
type cache struct {
	mu    sync.Mutex
	tiles map[merkle.Tile][]byte
}

func (c *cache) get(t merkle.Tile) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	data, ok := c.tiles[t]
	return data, ok
}

func (c *cache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tiles = nil
}

func (c *cache) put(t merkle.Tile, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tiles == nil || len(c.tiles) >= maxCached {
		c.tiles = map[merkle.Tile][]byte{}
	}
	c.tiles[t] = data
}
