package controllers

import (
	"maps"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/status"
)

// keys is a set of ChannelConnectors.
type keys map[client.ObjectKey]bool

// upgrading are connectors that are being upgraded, and why one does not come up.
type upgrading map[client.ObjectKey]status.Fault

// enoughFailures is how many failed upgrades stop the other ones: of so many namespaces those of all, of one namespace
// its own.
const enoughFailures = 2

// halt says which upgrades are stopped.
type halt struct {
	everywhere bool
	namespaces map[string]bool
}

func (h halt) of(key client.ObjectKey) bool { return h.everywhere || h.namespaces[key.Namespace] }

// halted returns which upgrades the failed ones stop. No tenant stops another one's: for that, the version must be
// suspect in several namespaces. If several fail in one, for whatever reason, the rest of it is left as it is.
func halted(now upgrading) halt {
	failed, suspect := map[string]int{}, map[string]bool{}
	for key, fault := range now {
		if fault != status.FaultNone {
			failed[key.Namespace]++
		}
		if fault == status.FaultVersion {
			suspect[key.Namespace] = true
		}
	}
	h := halt{everywhere: len(suspect) >= enoughFailures, namespaces: map[string]bool{}}
	for namespace, n := range failed {
		h.namespaces[namespace] = n >= enoughFailures
	}
	return h
}

// turns returns which connectors of a queue have their turn: those that have a slot, and as many others as slots are
// free, unless their upgrades are stopped. A free slot goes to the namespace that has the fewest, so that none keeps
// more than half of them from others that wait; among several such namespaces the queue decides. An upgrade that has
// failed takes no slot.
func turns(queue []client.ObjectKey, now upgrading, granted keys, limit int) (next []client.ObjectKey, stopped halt) {
	stopped = halted(now)
	taken := maps.Clone(granted)
	for key, fault := range now {
		if fault == status.FaultNone {
			taken[key] = true
		}
	}
	for _, key := range queue {
		if _, begun := now[key]; begun || taken[key] {
			taken[key] = true
			next = append(next, key)
		}
	}
	held := map[string]int{}
	for key := range taken {
		held[key.Namespace]++
	}
	waits := func(key client.ObjectKey) bool { return !taken[key] && !stopped.of(key) }
	for len(taken) < limit {
		key := neediest(queue, held, waits)
		if key == nil {
			break
		}
		taken[*key] = true
		held[key.Namespace]++
		next = append(next, *key)
	}
	return next, stopped
}

// neediest returns the first connector that waits of the namespaces that have the fewest slots; nil if none waits.
func neediest(queue []client.ObjectKey, held map[string]int, waits func(client.ObjectKey) bool) (first *client.ObjectKey) {
	for i := range queue {
		key := &queue[i]
		if waits(*key) && (first == nil || held[key.Namespace] < held[first.Namespace]) {
			first = key
		}
	}
	return first
}
