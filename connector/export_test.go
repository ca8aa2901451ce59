package connector

import (
	"context"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
)

// RunWithin is Run in a cgroup whose limit read reads; setSoft takes the place of that of Go's runtime, which the tests
// share.
func RunWithin(ctx context.Context, log logr.Logger, level *slog.LevelVar,
	path string, read func() (uint64, error), setSoft func(bytes int64)) error {
	p := newProcess(log, level)
	p.memory.read, p.memory.setSoft, p.memory.chosen = read, setSoft, false
	return p.ending.within(ctx, func() error { return p.run(ctx, path) })
}

// disks are the file systems of inboxes, by path.
var disks sync.Map

// SetDisk makes fs the file system of the inbox at path.
func SetDisk(path string, fs vfs.FS) { disks.Store(path, fs) }

// UseDisks has SetDisk heeded.
func UseDisks() {
	openStore = func(o pebble.Options) (inbox.Inbox, error) {
		if fs, ok := disks.Load(o.Path); ok {
			o.FS = fs.(vfs.FS)
		}
		return pebble.Open(o)
	}
}
