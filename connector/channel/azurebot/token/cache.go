package token

import (
	"crypto/sha256"
	"sync"
)

// The bounds of one generation of a cache.
const maxTokens, maxTokenBytes = 1024, 512 << 10

// overhead is roughly what a token takes beside the texts of its claims, in bytes.
const overhead = 512

// cache holds the claims of verified tokens by the SHA-256 of the token. It has two generations: when the young one is
// full, it becomes the old one, which is dropped. A token that is used again moves to the young one.
type cache struct {
	mu         sync.RWMutex
	young, old map[[sha256.Size]byte]*Claims
	// bytes is the size of the young generation.
	bytes int
}

// find returns the claims of a token; nil if it is not there.
func (c *cache) find(sum [sha256.Size]byte) *Claims {
	c.mu.RLock()
	found, young := c.young[sum]
	if !young {
		found = c.old[sum]
	}
	c.mu.RUnlock()
	if found != nil && !young {
		c.add(sum, found)
	}
	return found
}

// add notes a verified token.
func (c *cache) add(sum [sha256.Size]byte, claims *Claims) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, again := c.young[sum]; !again {
		size := claims.size()
		if c.young == nil || len(c.young) == maxTokens || c.bytes+size > maxTokenBytes {
			c.young, c.old, c.bytes = map[[sha256.Size]byte]*Claims{}, c.young, 0
		}
		c.bytes += size
	}
	c.young[sum] = claims
}

func (c *Claims) size() int {
	size := overhead + len(c.Issuer) + len(c.Tenant) + len(c.keyID)
	for _, texts := range [][]string{c.Audience, c.ServiceURLs} {
		for _, text := range texts {
			size += len(text)
		}
	}
	return size
}
