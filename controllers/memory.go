package controllers

import (
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// memory keeps a value for each ChannelConnector from one pass to the next. It is empty when
// the operator starts; its zero value is ready to use.
type memory[T any] struct {
	mu sync.Mutex
	of map[client.ObjectKey]T
}

// get returns what is kept, a zero value where that is nothing.
func (m *memory[T]) get(key client.ObjectKey) T {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.of[key]
}

func (m *memory[T]) keep(key client.ObjectKey, value T) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of == nil {
		m.of = map[client.ObjectKey]T{}
	}
	m.of[key] = value
}

func (m *memory[T]) forget(key client.ObjectKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.of, key)
}
