package controllers

import (
	"slices"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// absences remember the keys that are absent and in use, by their ChannelConnectors. The
// status says the same, so that the next operator goes on counting; this counts also
// where the status cannot be written.
type absences struct {
	mu sync.Mutex
	of map[client.ObjectKey][]v1alpha1.ExpiringKey
}

// with returns what is remembered, and what the status says.
func (a *absences) with(key client.ObjectKey, said []v1alpha1.ExpiringKey) []v1alpha1.ExpiringKey {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Concat(a.of[key], said)
}

func (a *absences) note(key client.ObjectKey, expiring []v1alpha1.ExpiringKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(expiring) == 0 {
		delete(a.of, key)
		return
	}
	a.of[key] = expiring
}
