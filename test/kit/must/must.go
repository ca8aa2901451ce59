// Package must lets the programs of test/cmd end at their first error, as t.Fatal ends a test.
package must

import (
	"errors"
	"slices"
)

// failure is what Do panics with and Catch returns.
type failure struct{ err error }

// Do ends the function that Catch has called, if there is an error. Both must be of one goroutine.
func Do(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// Get is Do for a call that also returns a value.
func Get[T any](value T, err error) T {
	Do(err)
	return value
}

// Catch calls f and returns the error that ended it. Other panics pass through.
func Catch(f func()) (err error) {
	defer func() {
		got := recover()
		if failed, ours := got.(failure); ours {
			err = failed.err
		} else if got != nil {
			panic(got)
		}
	}()
	f()
	return nil
}

// Scope is the owner of what a part of a program has started. Its zero value owns nothing.
type Scope struct{ cleanups []func() }

// Cleanup has f called at the end of the innermost Within.
func (s *Scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

// Within calls f, and afterwards its cleanups, the last one first. It ends with the errors of all of them.
func (s *Scope) Within(f func()) {
	outer := s.cleanups
	s.cleanups = nil
	errs := []error{Catch(f)}
	for _, cleanup := range slices.Backward(s.cleanups) {
		errs = append(errs, Catch(cleanup))
	}
	s.cleanups = outer
	Do(errors.Join(errs...))
}
