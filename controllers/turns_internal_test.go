package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	testingclock "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/status"
)

// TestTurns: the first of the queue get the free slots, those of namespaces with fewer slots before the others, and a
// connector with a slot has its turn. A failed upgrade takes no slot. Two of a namespace stop those of the namespace;
// all others go on unless the version is suspect in several.
func TestTurns(t *testing.T) {
	for name, c := range map[string]struct {
		queue   []string
		up      []string
		own     []string
		version []string
		granted []string
		limit   int
		next    []string
		// stopped are those of the queue that are told so.
		stopped []string
	}{
		"an empty queue":                  {limit: 2},
		"a free slot":                     {queue: []string{"a", "b"}, limit: 1, next: []string{"a"}},
		"several free slots":              {queue: []string{"c", "a", "b"}, limit: 2, next: []string{"c", "a"}},
		"more slots than connectors":      {queue: []string{"a"}, limit: 5, next: []string{"a"}},
		"no free slot":                    {queue: []string{"a"}, up: []string{"x"}, limit: 1},
		"a slot that was just granted":    {queue: []string{"a"}, granted: []string{"x"}, limit: 1},
		"a slot that is there twice":      {queue: []string{"a"}, up: []string{"x"}, granted: []string{"x"}, limit: 2, next: []string{"a"}},
		"more upgrades than the limit":    {queue: []string{"a"}, up: []string{"x", "y"}, limit: 1},
		"its own slot":                    {queue: []string{"b", "a"}, up: []string{"a"}, limit: 1, next: []string{"a"}},
		"a slot of its own, granted":      {queue: []string{"b", "a"}, granted: []string{"a"}, limit: 1, next: []string{"a"}},
		"a namespace alone has all slots": {queue: []string{"a", "b"}, up: []string{"v", "w", "x"}, limit: 5, next: []string{"a", "b"}},
		"a namespace that waits behind another one": {
			queue: []string{"a", "b", "c", "other/a"}, limit: 2, next: []string{"a", "other/a"},
		},
		"a namespace with fewer slots": {queue: []string{"a", "other/a"}, up: []string{"x"}, limit: 2, next: []string{"other/a"}},
		"the same, granted":            {queue: []string{"a", "other/a"}, granted: []string{"x"}, limit: 2, next: []string{"other/a"}},
		"a namespace with many slots": {
			queue: []string{"a", "other/a", "other/b", "third/a"}, up: []string{"v", "w"}, limit: 5,
			next: []string{"other/a", "third/a", "other/b"},
		},
		"a namespace whose upgrades failed has no slots": {
			queue: []string{"a", "other/a"}, version: []string{"v"}, up: []string{"other/x"}, limit: 2, next: []string{"a"},
		},
		"others that are stopped do not wait": {
			queue: []string{"other/a", "a"}, up: []string{"x"}, own: []string{"other/x", "other/y"}, limit: 2, next: []string{"a"},
			stopped: []string{"other/a"},
		},
		"one that fails takes no slot": {
			queue: []string{"a", "other/b"}, version: []string{"x"}, limit: 1, next: []string{"a"},
		},
		"many of a namespace fail: its own are stopped, and the others go on": {
			queue: []string{"a", "other/b", "other/c"}, version: []string{"v", "w", "x", "y", "z"}, limit: 1,
			next: []string{"other/b"}, stopped: []string{"a"},
		},
		"the same for reasons of their own": {
			queue: []string{"a", "other/b"}, own: []string{"x", "y"}, limit: 1, next: []string{"other/b"}, stopped: []string{"a"},
		},
		"some of several namespaces fail for reasons of their own": {
			queue: []string{"a", "other/b"}, own: []string{"x", "other/x", "third/x"}, version: []string{"other/y"}, limit: 5,
			next: []string{"a"}, stopped: []string{"other/b"},
		},
		"the version is suspect in several namespaces": {
			queue: []string{"a", "third/b"}, version: []string{"x", "other/x"}, limit: 5, stopped: []string{"a", "third/b"},
		},
		"its own slot, where it is": {
			queue: []string{"a", "y"}, version: []string{"x", "other/x"}, up: []string{"y"}, limit: 5, next: []string{"y"},
			stopped: []string{"a", "y"},
		},
		"its own slot, although it has failed": {
			queue: []string{"x"}, version: []string{"x", "y"}, next: []string{"x"}, stopped: []string{"x"},
		},
		"all fail, no queue": {version: []string{"x", "other/x"}, limit: 5},
	} {
		t.Run(name, func(t *testing.T) {
			now := begun(map[status.Fault][]string{status.FaultNone: c.up, status.FaultOwn: c.own, status.FaultVersion: c.version})
			next, halt := turns(named(c.queue...), now, set[keys](true, c.granted...), c.limit)
			if diff := cmp.Diff(named(c.next...), next); diff != "" {
				t.Errorf("next (-want +got):\n%s", diff)
			}
			var stopped []client.ObjectKey
			for _, key := range named(c.queue...) {
				if halt.of(key) {
					stopped = append(stopped, key)
				}
			}
			if diff := cmp.Diff(named(c.stopped...), stopped); diff != "" {
				t.Errorf("stopped (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNoNamespaceStarves, whatever the others do: while one waits that has no slot, each other one gets at most one, and
// none gets more than half of the slots.
func TestNoNamespaceStarves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFairness(t)
		for n := range 100 {
			name := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "namespace")
			if running := slices.SortedFunc(maps.Keys(f.now), byText); len(running) > 0 && rapid.Bool().Draw(t, "an upgrade ends") {
				delete(f.now, rapid.SampledFrom(running).Draw(t, "which"))
			}
			if key := named(fmt.Sprintf("%s/%d", name, n))[0]; rapid.Bool().Draw(t, "another one asks") && f.asks(key) {
				f.got(key)
			}
			for _, key := range f.u.due(t.Context()) {
				if granted, _, _ := f.u.ask(t.Context(), key); !granted {
					t.Fatalf("%v was woken in vain", key)
				}
				f.got(key)
			}
			if len(f.u.waiting) > 0 && len(f.now) < f.u.limit {
				t.Fatalf("%d wait for %d of %d slots", len(f.u.waiting), f.u.limit-len(f.now), f.u.limit)
			}
		}
	})
}

func byText(a, b client.ObjectKey) int { return strings.Compare(a.String(), b.String()) }

// fairness counts who gets slots while others wait.
type fairness struct {
	*rapid.T
	u   *upgrades
	now upgrading
	// passed counts how often a namespace that waits without a slot was passed over for another one.
	passed map[[2]string]int
}

func newFairness(t *rapid.T) *fairness {
	f := &fairness{T: t, now: upgrading{}, passed: map[[2]string]int{}}
	f.u = newUpgrades(rapid.IntRange(1, 6).Draw(t, "slots"), testingclock.NewFakePassiveClock(time.Time{}),
		func(context.Context) (upgrading, error) { return maps.Clone(f.now), nil }, nil)
	return f
}

func (f *fairness) asks(key client.ObjectKey) bool {
	granted, _, err := f.u.ask(f.Context(), key)
	return granted && err == nil
}

func (f *fairness) held(namespace string) (n int) {
	for key := range f.now {
		if key.Namespace == namespace {
			n++
		}
	}
	return n
}

// got records a slot, which the caches show at once.
func (f *fairness) got(key client.ObjectKey) {
	f.now[key] = status.FaultNone
	f.u.leave(key)
	maps.DeleteFunc(f.passed, func(over [2]string, _ int) bool { return over[0] == key.Namespace })
	for _, w := range f.u.waiting {
		if w.Namespace == key.Namespace {
			continue
		}
		if most := (f.u.limit + 1) / 2; f.held(key.Namespace) > most {
			f.Fatalf("%s has more than %d slots, and %s waits", key.Namespace, most, w)
		}
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		waits := slices.ContainsFunc(f.u.waiting, func(k client.ObjectKey) bool { return k.Namespace == name })
		if over := [2]string{name, key.Namespace}; waits && name != key.Namespace && f.held(name) == 0 {
			if f.passed[over]++; f.passed[over] > 1 {
				f.Fatalf("%s gets a second slot, and %s has none", key.Namespace, name)
			}
		}
	}
}
