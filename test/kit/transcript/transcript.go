// Package transcript keeps a program's output while others read it.
package transcript

import (
	"bytes"
	"sync"
)

// Transcript is text that several goroutines write and read. The zero value is empty and ready for use.
type Transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to the text; it never fails.
func (t *Transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

// String returns all the text so far.
func (t *Transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
