package pebble

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/go-logr/logr"
)

// storeLog is Pebble's logger. After a failed write or sync of its log Pebble
// calls Fatalf, and if that returned, the commit would report success for what
// is not durable: so it never returns.
type storeLog struct {
	log   logr.Logger
	fatal func(cause error)
}

// Infof drops what Pebble says of its inner life.
func (storeLog) Infof(string, ...any) {}

// Errorf logs.
func (l storeLog) Errorf(format string, args ...any) {
	l.log.Info("store: " + fmt.Sprintf(format, args...))
}

// Fatalf ends the process.
func (l storeLog) Fatalf(format string, args ...any) {
	f := failure{text: fmt.Sprintf(format, args...)}
	for _, arg := range args {
		if cause, ok := arg.(error); ok {
			f.causes = append(f.causes, cause)
		}
	}
	l.fatal(f)
}

// failure is what Pebble says before it ends, with the errors in it.
type failure struct {
	text   string
	causes []error
}

func (f failure) Error() string   { return f.text }
func (f failure) Unwrap() []error { return f.causes }

// spacePause is how long the store waits for space before it tries to flush or
// compact again.
const spacePause = time.Second

// events reports what Pebble meets in the background.
func (s *Inbox) events() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: s.backgroundFailed,
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			s.fatal(fmt.Errorf("the inbox is damaged: %s: %w", info.Path, info.Details))
		},
		DiskSlow: func(info pebble.DiskSlowInfo) {
			s.log.Info("the disk is slow", "operation", info.OpType.String(), "duration", info.Duration.String())
		},
	}
}

// backgroundFailed deals with a flush or compaction that failed. Pebble would
// try again at once and for ever: so it waits for space, and any other failure
// ends the process, since a disk that does not write cannot keep promises.
func (s *Inbox) backgroundFailed(err error) {
	switch {
	case errors.Is(err, context.Canceled): // by Close
	case !outOfSpace(err), !s.opened.Load():
		s.fatal(fmt.Errorf("the store could not flush or compact: %w", err))
	default:
		s.log.Error(err, "the disk is full, beyond the reserve that the inbox keeps; it waits for space",
			"remedy", remedyFor(err, s.path))
		<-time.After(spacePause)
	}
}
