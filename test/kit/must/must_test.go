package must

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var errOurs, errCleanup = errors.New("ours"), errors.New("cleanup")

func TestCatch(t *testing.T) {
	reached := false
	err := Catch(func() {
		if Get(7, nil) != 7 {
			t.Error("another value")
		}
		Do(nil)
		Do(errOurs)
		reached = true
	})
	if !errors.Is(err, errOurs) || reached {
		t.Errorf("%v, gone on: %v", err, reached)
	}
	if err := Catch(func() {}); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() != "another" {
			t.Error("another's panic was caught")
		}
	}()
	_ = Catch(func() { panic("another") })
}

// TestWithin: cleanups are called in reverse, also after errors, and those outside are left.
func TestWithin(t *testing.T) {
	var s Scope
	var called []string
	note := func(name string, err error) func() {
		return func() { called = append(called, name); Do(err) }
	}
	err := Catch(func() {
		s.Within(func() {
			s.Cleanup(note("outer", nil))
			s.Within(func() {
				s.Cleanup(note("first", nil))
				s.Cleanup(note("second", errCleanup))
				Do(errOurs)
			})
		})
	})
	if !errors.Is(err, errOurs) || !errors.Is(err, errCleanup) {
		t.Errorf("an error is missing in %v", err)
	}
	if diff := cmp.Diff([]string{"second", "first", "outer"}, called); diff != "" {
		t.Errorf("cleanups (-want +got):\n%s", diff)
	}
}
