package controllers

import (
	"cmp"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// census knows the ChannelConnectors of each namespace by age, so that the oldest ones are served and a pass of one that
// is not costs next to nothing.
type census struct {
	// limit is how many are served in a namespace; 0 for all, of which nothing is kept.
	limit int
	// residents claim their namespaces.
	residents *claims[string]

	mu sync.Mutex
	// over is how many are beyond the limit of their namespaces.
	over int
}

func newCensus(limit int) *census { return &census{limit: limit, residents: newNames[string]()} }

// change takes in a ChannelConnector in place of what it was. If one goes, this concerns the one that is served in its
// place.
func (c *census) change(before, after *claimant, concerned keys) {
	if c.limit == 0 || before != nil && after != nil && *before == *after {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	of := func(who *claimant) (namespaces []string) {
		if who != nil {
			namespaces = append(namespaces, who.key.Namespace)
		}
		return namespaces
	}
	namespace := cmp.Or(before, after).key.Namespace
	was := c.residents.count(namespace)
	c.residents.change(before, after, of(before), of(after), concerned)
	c.over += max(0, c.residents.count(namespace)-c.limit) - max(0, was-c.limit)
	connectorsBeyondBound.Set(float64(c.over))
	if next := c.residents.at(namespace, c.limit-1); next != nil && before != nil && next != after {
		concerned[next.key] = true
	}
}

// serves reports whether a ChannelConnector is among the oldest of its namespace.
func (c *census) serves(o client.Object) bool {
	return c.limit == 0 || c.residents.rank(o.GetNamespace(), claimantOf(o)) < c.limit
}

// full is the obstacle that the namespace has as many older resources as are served; nil if it has not. What was served
// before goes on: a lower bound breaks nothing, and its keys can still be revoked.
func (p *pass) full() *status.Obstacle {
	ready := meta.FindStatusCondition(p.connector.Status.Conditions, v1alpha1.ConditionReady)
	if p.census.serves(p.connector) || ready != nil && ready.Reason != status.ReasonNamespaceFull {
		return nil
	}
	return &status.Obstacle{
		Reason: status.ReasonNamespaceFull, Stalled: true,
		Message: fmt.Sprintf("Namespace %q has %d older ChannelConnectors, and the operator serves no more in one namespace "+
			"(--max-connectors-per-namespace): delete one that is not needed, or ask for a higher bound", p.key.Namespace, p.census.limit),
	}
}
