package pebble

import (
	"context"

	"github.com/cockroachdb/pebble/v2/vfs"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// Guarded is the file system that keeps a store's ledger, for tests that change a store behind its back.
func Guarded(files vfs.FS) vfs.FS { return &guard{FS: files, store: &Inbox{}} }

// ErrDamaged is errDamaged.
var ErrDamaged = layout.ErrDamaged

// RemedyFor is remedyFor.
var RemedyFor = remedyFor

// Expire ends what is over now, as maintenance does every minute.
func (s *Inbox) Expire(ctx context.Context) error { return s.expire(ctx) }

// KnownIDs counts the ids on disk, expired or not.
func (s *Inbox) KnownIDs() (n int, err error) {
	for range layout.Range(s.db, []byte{layout.PrefixDuplicate}, []byte{layout.PrefixDuplicate + 1}, &err) {
		n++
	}
	return n, err
}

// Compactions counts those that ended since the store was opened.
func (s *Inbox) Compactions() int64 { return s.db.Metrics().Compact.Count }

// FailEarly reports a failure in the background to a store whose Open has not returned yet.
func FailEarly(o Options, err error) {
	s := &Inbox{path: o.Path, log: o.Log, fatal: o.Fatal}
	s.opened.Store(true)
	s.backgroundFailed(err)
}

// Consumer is the claiming of a channel whose settings stay as they are.
func (s *Inbox) Consumer(name string) inbox.Consumer {
	return &consumer{store: s, channel: s.channel(name)}
}
