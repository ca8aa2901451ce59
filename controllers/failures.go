package controllers

import (
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// failures remember since when the passes of a ChannelConnector fail.
type failures struct {
	mu    sync.Mutex
	since map[client.ObjectKey]time.Time
}

// note notes that a pass failed. It returns when the first one in a row did.
func (f *failures) note(key client.ObjectKey, now time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.since[key]; !known {
		f.since[key] = now
	}
	return f.since[key]
}

// end notes that a pass did not fail, or that there will be none.
func (f *failures) end(key client.ObjectKey) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.since, key)
}
