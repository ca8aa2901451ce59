package config

import (
	"time"

	"github.com/fsnotify/fsnotify"
)

// What the tests reach into.
var (
	DigestOf = digestOf
	ReadFile = readFile
)

const MaxFileSize = maxFileSize

type Materials = materials

// LoadAfter is a reload after the version before, without grace for absent files.
func LoadAfter(path string, types Types, read func(string) ([]byte, error), before *Config) (*Config, error) {
	check := newChecker(path, types, newFiles(read))
	check.absences = newAbsences(0)
	return load(check, before)
}

// WithGrace has absent files stay in use for a time.
func (w *Watcher) WithGrace(grace time.Duration) {
	w.absences = newAbsences(grace)
}

// TryAgainAfter sets after how long Apply is tried again.
func (w *Watcher) TryAgainAfter(again time.Duration) { w.again = again }

// NotifiedBy sets the source of notifications.
func (w *Watcher) NotifiedBy(open func() (*fsnotify.Watcher, error)) { w.open = open }
