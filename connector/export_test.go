package connector

import (
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// disks are the file systems of inboxes, by path.
var disks sync.Map

// SetDisk makes fs the file system of the inbox at path.
func SetDisk(path string, fs vfs.FS) { disks.Store(path, fs) }

// UseDisks has SetDisk heeded.
func UseDisks() {
	inboxTypes[config.InboxEmbedded] = func(c config.Inbox, files int, metrics *telemetry.Metrics, log logr.Logger) (inbox.Inbox, error) {
		o := embeddedOptions(c, files, metrics, log)
		if fs, ok := disks.Load(o.Path); ok {
			o.FS = fs.(vfs.FS)
		}
		return pebble.Open(o)
	}
}
