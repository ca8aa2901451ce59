package pebble

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/engine"
)

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
	case !engine.OutOfSpace(err), !s.opened.Load():
		s.fatal(fmt.Errorf("the store could not flush or compact: %w", err))
	default:
		s.log.Error(err, "the disk is full, beyond the reserve that the inbox keeps; it waits for space",
			"remedy", remedyFor(err, s.path))
		<-time.After(spacePause)
	}
}
