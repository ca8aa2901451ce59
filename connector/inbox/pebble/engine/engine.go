// Package engine adapts the failures of Pebble, the key-value store, to the inbox: Open returns an error where Pebble
// panics, Log ends the process where Pebble cannot go on, and Trouble words the failures of the system below.
package engine

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/go-logr/logr"
)

// Open opens a store in Pebble, which panics over some contradictions between files and over a folder without sync.
func Open(path string, o *pebble.Options) (db *pebble.DB, err error) {
	defer func() {
		switch cause := recover().(type) {
		case nil:
		case error:
			err = cause
		default:
			err = fmt.Errorf("its files contradict each other: %v", cause)
		}
	}()
	return pebble.Open(path, o)
}

// Log is Pebble's logger. Pebble calls Fatalf after a failed write or sync of its log. If Fatalf returned, the commit
// would report success all the same.
type Log struct {
	Log   logr.Logger
	Fatal func(cause error)
}

// Infof drops what Pebble says of its inner life.
func (Log) Infof(string, ...any) {}

// Errorf logs.
func (l Log) Errorf(format string, args ...any) {
	l.Log.Info("store: " + fmt.Sprintf(format, args...))
}

// Fatalf ends the process.
func (l Log) Fatalf(format string, args ...any) {
	f := failure{text: fmt.Sprintf(format, args...)}
	for _, arg := range args {
		if cause, ok := arg.(error); ok {
			f.causes = append(f.causes, cause)
		}
	}
	l.Fatal(f)
}

// failure is what Pebble says before it ends, with the errors in it.
type failure struct {
	text   string
	causes []error
}

func (f failure) Error() string   { return f.text }
func (f failure) Unwrap() []error { return f.causes }
