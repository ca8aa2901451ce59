package pebble

import "github.com/cockroachdb/pebble/v2/vfs"

// Guarded is the file system that keeps a store's ledger, for tests that change
// a store behind its back.
func Guarded(files vfs.FS) vfs.FS { return &guard{FS: files, store: &Inbox{}} }

// ErrDamaged is errDamaged.
var ErrDamaged = errDamaged

// RemedyFor is remedyFor.
var RemedyFor = remedyFor
