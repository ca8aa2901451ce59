package controllers

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// claims know the ChannelConnectors that claim a thing, such as an address or a Secret, by age.
//
// Of what only one should have, the answer to a claimant is the same at every pass: the oldest other one. One that comes
// or goes concerns all others if it is the oldest, and only the oldest if it is the next: what a thousand claim costs no
// thousand passes for each.
type claims[K comparable] struct {
	// names reports whether any number may claim a thing, so that none concerns another.
	names bool

	mu sync.Mutex
	by map[K][]*claimant
}

// claimant is a ChannelConnector that claims something.
type claimant struct {
	// born is the time of creation, in seconds.
	born int64
	key  client.ObjectKey
}

// byAge orders claimants from the oldest on.
func byAge(a, b *claimant) int {
	return cmp.Or(cmp.Compare(a.born, b.born), strings.Compare(a.key.Namespace, b.key.Namespace), strings.Compare(a.key.Name, b.key.Name))
}

func newClaims[K comparable]() *claims[K] { return &claims[K]{by: map[K][]*claimant{}} }

// newNames are claims to what any number may have.
func newNames[K comparable]() *claims[K] {
	c := newClaims[K]()
	c.names = true
	return c
}

// claimantOf is a resource as a claimant; nil if there is none.
func claimantOf(o client.Object) *claimant {
	if o == nil {
		return nil
	}
	return &claimant{o.GetCreationTimestamp().Unix(), client.ObjectKeyFromObject(o)}
}

// oldest returns the oldest claimant of a thing but a resource itself; nil if there is none.
func (c *claims[K]) oldest(thing K, but client.ObjectKey) *claimant {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, other := range c.by[thing] {
		if other.key != but {
			return other
		}
	}
	return nil
}

// all returns everyone who claims a thing, from the oldest on.
func (c *claims[K]) all(thing K) (all []client.ObjectKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, who := range c.by[thing] {
		all = append(all, who.key)
	}
	return all
}

// rank returns how many older ones than a claimant claim a thing.
func (c *claims[K]) rank(thing K, who *claimant) (older int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	older, _ = slices.BinarySearchFunc(c.by[thing], who, byAge)
	return older
}

// at returns who claims a thing with so many older ones; nil for none.
func (c *claims[K]) at(thing K, older int) *claimant {
	c.mu.Lock()
	defer c.mu.Unlock()
	if all := c.by[thing]; older < len(all) {
		return all[older]
	}
	return nil
}

// count returns how many claim a thing.
func (c *claims[K]) count(thing K) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.by[thing])
}

// change takes in what a resource claims in place of what it claimed, and adds the others that this concerns. Either
// claimant is nil while there is no such resource.
func (c *claims[K]) change(before, after *claimant, old, now []K, concerned keys) {
	same := before != nil && after != nil && *before == *after
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, thing := range old {
		if !same || !slices.Contains(now, thing) {
			c.take(thing, before, concerned)
		}
	}
	for _, thing := range now {
		if !same || !slices.Contains(old, thing) {
			c.give(thing, after, concerned)
		}
	}
}

func (c *claims[K]) take(thing K, who *claimant, concerned keys) {
	all := c.by[thing]
	at, claimed := slices.BinarySearchFunc(all, who, byAge)
	if !claimed {
		return // it was claimed twice
	}
	if all = slices.Delete(all, at, at+1); len(all) == 0 {
		delete(c.by, thing)
	} else {
		c.by[thing] = all
	}
	c.concern(concerned, all, at)
}

func (c *claims[K]) give(thing K, who *claimant, concerned keys) {
	all := c.by[thing]
	at, claimed := slices.BinarySearchFunc(all, who, byAge)
	if claimed {
		return
	}
	c.concern(concerned, all, at)
	c.by[thing] = slices.Insert(all, at, who)
}

// concern adds the others to whom it matters that one comes to a place among them, or goes from it.
func (c *claims[K]) concern(concerned keys, others []*claimant, at int) {
	switch {
	case c.names:
	case at == 0:
		for _, other := range others {
			concerned[other.key] = true
		}
	case at == 1:
		concerned[others[0].key] = true
	}
}
