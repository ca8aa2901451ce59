package controllers

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func named(names ...string) (all []client.ObjectKey) {
	for _, name := range names {
		all = append(all, client.ObjectKey{Namespace: "chat", Name: name})
	}
	return all
}

// set is a set of connectors by their names; the value is that of each.
func set[M ~map[client.ObjectKey]bool](value bool, names ...string) M {
	m := M{}
	for _, key := range named(names...) {
		m[key] = value
	}
	return m
}

// TestTurns: the first of the queue get the free slots, and nobody does while an upgraded connector does not come up.
// A connector with a slot has its turn.
func TestTurns(t *testing.T) {
	failing := set[upgrading](true, "x")
	failing[named("y")[0]] = false
	for name, c := range map[string]struct {
		queue   []string
		now     upgrading
		granted []string
		limit   int
		next    []string
		stopped bool
	}{
		"an empty queue":               {limit: 2},
		"a free slot":                  {queue: []string{"a", "b"}, limit: 1, next: []string{"a"}},
		"several free slots":           {queue: []string{"c", "a", "b"}, limit: 2, next: []string{"c", "a"}},
		"more slots than connectors":   {queue: []string{"a"}, limit: 5, next: []string{"a"}},
		"no free slot":                 {queue: []string{"a"}, now: set[upgrading](false, "x"), limit: 1},
		"a slot that was just granted": {queue: []string{"a"}, granted: []string{"x"}, limit: 1},
		"a slot that is there twice": {
			queue: []string{"a"}, now: set[upgrading](false, "x"), granted: []string{"x"}, limit: 2, next: []string{"a"},
		},
		"more upgrades than the limit":  {queue: []string{"a"}, now: set[upgrading](false, "x", "y"), limit: 1},
		"its own slot":                  {queue: []string{"b", "a"}, now: set[upgrading](false, "a"), limit: 1, next: []string{"a"}},
		"a slot of its own, granted":    {queue: []string{"b", "a"}, granted: []string{"a"}, limit: 1, next: []string{"a"}},
		"one that fails":                {queue: []string{"a"}, now: failing, limit: 5, stopped: true},
		"its own slot, where one fails": {queue: []string{"a", "y"}, now: failing, limit: 5, next: []string{"y"}, stopped: true},
		"one that fails, no queue":      {now: failing, limit: 5, stopped: true},
	} {
		t.Run(name, func(t *testing.T) {
			next, stopped := turns(named(c.queue...), c.now, set[keys](true, c.granted...), c.limit)
			if diff := cmp.Diff(named(c.next...), next); diff != "" {
				t.Errorf("next (-want +got):\n%s", diff)
			}
			if stopped != c.stopped {
				t.Errorf("stopped is %v", stopped)
			}
		})
	}
}

// TestUpgrades: a slot that is free again wakes the next connector, and a failed upgrade wakes the whole queue when it
// begins and when it ends.
func TestUpgrades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var woken []client.ObjectKey
		now, unlisted := upgrading{}, error(nil)
		u := newUpgrades(1,
			func(context.Context) (upgrading, error) { return maps.Clone(now), unlisted },
			func(_ context.Context, key client.ObjectKey) { woken = append(woken, key) })
		go func() { _ = u.Start(ctx) }() // it ends with ctx, and without an error
		passes := func(want ...string) {
			t.Helper()
			woken = nil
			u.proceed()
			synctest.Wait()
			if diff := cmp.Diff(named(want...), woken); diff != "" {
				t.Errorf("woken (-want +got):\n%s", diff)
			}
		}
		ask := func(name string, want, wantStopped bool) {
			t.Helper()
			granted, stopped, err := u.ask(ctx, named(name)[0])
			if granted != want || stopped != wantStopped || err != nil {
				t.Errorf("%s: granted %v, stopped %v, %v", name, granted, stopped, err)
			}
		}
		ask("a", true, false)
		ask("a", true, false) // the cache does not show it yet
		ask("b", false, false)
		ask("c", false, false)
		ask("b", false, false) // which keeps its place
		passes()

		now = set[upgrading](false, "a") // the cache shows it
		u.leave(named("a")[0])
		passes()
		u.note(named("a")[0], true)
		passes("b", "c")
		ask("b", false, true)
		ask("c", false, true)
		passes()
		u.note(named("a")[0], false)
		passes("b", "c")
		ask("b", false, false)
		ask("c", false, false)

		now = upgrading{} // rolled out
		unlisted = errors.New("no list")
		passes()
		if _, _, err := u.ask(ctx, named("c")[0]); !errors.Is(err, unlisted) {
			t.Errorf("got %v", err)
		}
		unlisted = nil
		passes("b")
		ask("b", true, false)
		u.forget(named("b")[0]) // deleted before its Deployment was written
		passes("c")
	})
}
