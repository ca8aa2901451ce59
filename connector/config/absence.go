package config

import (
	"maps"
	"slices"
	"time"
)

// absenceGrace is how long a key stays in use after its file is gone or blank, since some programs replace a file by
// deleting and making it. A key whose file holds something else goes out of use at once.
const absenceGrace = 30 * time.Second

// absences are the absent key files, each with the time of its first absence. They outlive the versions of a
// configuration.
type absences struct {
	grace time.Duration
	since map[string]time.Time
	// now is when the files were last looked at. It stands still during the look, so that no grace ends after a key was
	// judged and before the wait for the next look is known.
	now time.Time
}

func newAbsences(grace time.Duration) *absences {
	return &absences{grace: grace, since: map[string]time.Time{}}
}

// until notes that a file is absent. It returns when its key goes out of use.
func (a *absences) until(file string) time.Time {
	first, known := a.since[file]
	if !known {
		first = a.now
		a.since[file] = first
	}
	return first.Add(a.grace)
}

// ended reports whether a grace has ended.
func (a *absences) ended(until time.Time) bool { return !a.now.Before(until) }

// forgetOthers forgets the files that are there again or no longer named.
func (a *absences) forgetOthers(absent []string) {
	maps.DeleteFunc(a.since, func(file string, _ time.Time) bool { return !slices.Contains(absent, file) })
}

// due reports whether the grace of a key in use has ended.
func (a *absences) due(inUse materials) bool {
	for file, first := range a.since {
		if inUse.keyFiles[file] != "" && a.ended(first.Add(a.grace)) {
			return true
		}
	}
	return false
}

// next returns the time until a key goes out of use; negative if none will.
func (a *absences) next() time.Duration {
	wait := time.Duration(-1)
	for _, first := range a.since {
		until := first.Add(a.grace)
		if left := max(time.Until(until), 0); !a.ended(until) && (wait < 0 || left < wait) {
			wait = left
		}
	}
	return wait
}

// materials are the contents that a version takes from its files, by their paths.
type materials struct {
	keyFiles     map[string]string
	certificates map[string][]byte
	// absent are the key files that were absent when the version was read.
	absent []string
}
