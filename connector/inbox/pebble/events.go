package pebble

import (
	"fmt"

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
func (l storeLog) Fatalf(format string, args ...any) { l.fatal(fmt.Errorf(format, args...)) }

// events reports what Pebble meets in the background.
func (s *Inbox) events() *pebble.EventListener {
	listener := &pebble.EventListener{
		BackgroundError: func(err error) {
			s.log.Error(err, "the store could not flush or compact; it tries again",
				"remedy", "check the disk: space, health and permissions")
		},
		DiskSlow: func(info pebble.DiskSlowInfo) {
			s.log.Info("the disk is slow", "operation", info.OpType.String(), "duration", info.Duration.String())
		},
	}
	return listener
}
