package pebble

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// cache holds the newest blocks. Pebble has no way to change the size of its cache,
// but to reserve a part of it for something else.
type cache struct {
	blocks *pebble.Cache

	mu      sync.Mutex
	release func() // ends the reservation of what is not to be used
}

func newCache(size int64) *cache {
	c := &cache{blocks: pebble.NewCache(cacheSize)}
	c.resize(size)
	return c
}

// resize changes the size, at most to cacheSize; blocks beyond it are dropped at
// once.
func (c *cache) resize(size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.release != nil {
		c.release()
	}
	c.release = c.blocks.Reserve(int(cacheSize - min(size, cacheSize)))
}

// Resize changes Options.CacheSize and QueueSize. It may be called at any time, and
// does nothing once the store is closed. What is queued already stays.
func (s *Inbox) Resize(cacheSize, queueSize int64) {
	if s.acquire() != nil {
		return
	}
	defer s.release()
	s.cache.resize(cacheSize)
	s.committer.maxQueued.Store(queueSize)
}
