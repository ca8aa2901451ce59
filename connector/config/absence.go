package config

import (
	"maps"
	"slices"
	"time"
)

// absenceGrace is how long a key stays in use after its file has gone or become blank: programs that replace a file by
// deleting it and making it again change nothing. A key whose file holds something else is out of use at once.
const absenceGrace = 30 * time.Second

// absences are the key files that are absent, with the times since when. They outlive the versions of a configuration.
type absences struct {
	grace time.Duration
	since map[string]time.Time
}

func newAbsences() *absences { return &absences{absenceGrace, map[string]time.Time{}} }

// until notes that a file is absent. It returns when its key goes out of use.
func (a *absences) until(file string) time.Time {
	first, known := a.since[file]
	if !known {
		first = time.Now()
		a.since[file] = first
	}
	return first.Add(a.grace)
}

// forgetOthers forgets the absence of files that are there again, or named no more.
func (a *absences) forgetOthers(absent []string) {
	maps.DeleteFunc(a.since, func(file string, _ time.Time) bool { return !slices.Contains(absent, file) })
}

// due reports whether the grace of a key in use has ended.
func (a *absences) due(inUse materials) bool {
	for file, first := range a.since {
		if inUse.keyFiles[file] != "" && !time.Now().Before(first.Add(a.grace)) {
			return true
		}
	}
	return false
}

// next is how long until a key goes out of use; negative is never.
func (a *absences) next() time.Duration {
	wait := time.Duration(-1)
	for _, first := range a.since {
		left := time.Until(first.Add(a.grace))
		if left > 0 && (wait < 0 || left < wait) {
			wait = left
		}
	}
	return wait
}

// materials are what a version takes from the files that it names, by their paths.
type materials struct {
	keyFiles     map[string]string
	certificates map[string][]byte
	// absent are the key files that were absent when the version was read.
	absent []string
}
