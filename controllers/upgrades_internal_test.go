package controllers

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/status"
)

// named returns connectors of the namespace chat, unless a name has its own: other/a.
func named(names ...string) (all []client.ObjectKey) {
	for _, name := range names {
		namespace, own, found := strings.Cut(name, "/")
		if !found {
			namespace, own = "chat", name
		}
		all = append(all, client.ObjectKey{Namespace: namespace, Name: own})
	}
	return all
}

// set is a set of connectors by their names; the value is that of each.
func set[M ~map[client.ObjectKey]V, V any](value V, names ...string) M {
	m := M{}
	for _, key := range named(names...) {
		m[key] = value
	}
	return m
}

// begun are upgrades by their fault.
func begun(of map[status.Fault][]string) upgrading {
	now := upgrading{}
	for fault, names := range of {
		maps.Copy(now, set[upgrading](fault, names...))
	}
	return now
}

// queue plays the passes of connectors that wait for their upgrade, one at a time.
type queue struct {
	*upgrades
	t *testing.T

	// guard guards what follows: the queue looks by itself, too.
	guard sync.Mutex
	now   upgrading
	err   error
	woken []client.ObjectKey
}

func newQueue(t *testing.T) *queue {
	q := &queue{t: t, now: upgrading{}}
	q.upgrades = newUpgrades(1, clock.RealClock{}, // of the bubble
		func(context.Context) (upgrading, error) {
			q.guard.Lock()
			defer q.guard.Unlock()
			return maps.Clone(q.now), q.err
		},
		func(_ context.Context, key client.ObjectKey) {
			q.guard.Lock()
			defer q.guard.Unlock()
			q.woken = append(q.woken, key)
		})
	go func() { _ = q.Start(t.Context()) }() // it ends with the test, and without an error
	return q
}

// shows has the caches show these.
func (q *queue) shows(now upgrading, err error) {
	q.guard.Lock()
	defer q.guard.Unlock()
	q.now, q.err = now, err
}

// wakes expects that a pass which ends wakes these.
func (q *queue) wakes(want ...string) {
	q.t.Helper()
	q.taken()
	q.proceed()
	synctest.Wait()
	if diff := cmp.Diff(named(want...), q.taken()); diff != "" {
		q.t.Errorf("woken (-want +got):\n%s", diff)
	}
}

// taken returns those that were woken since it was called last.
func (q *queue) taken() []client.ObjectKey {
	q.guard.Lock()
	defer q.guard.Unlock()
	woken := q.woken
	q.woken = nil
	return woken
}

// waits lets time go by, and what it causes.
func (q *queue) waits(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (q *queue) asks(name string, want, wantStopped bool) {
	q.t.Helper()
	granted, stopped, err := q.ask(q.t.Context(), named(name)[0])
	if granted != want || stopped != wantStopped || err != nil {
		q.t.Errorf("%s: granted %v, stopped %v, %v", name, granted, stopped, err)
	}
}

// TestUpgrades: a slot that is free again wakes the next connector, and failed upgrades wake those that they stop, when
// that begins and when it ends.
func TestUpgrades(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		q.asks("a", true, false)
		q.asks("a", true, false) // the cache does not show it yet
		q.asks("b", false, false)
		q.asks("other/c", false, false)
		q.asks("b", false, false) // which keeps its place
		q.wakes()

		q.shows(set[upgrading](status.FaultNone, "a"), nil) // the cache shows it
		q.leave(named("a")[0])
		q.wakes()
		q.note(named("a")[0], status.FaultVersion)
		q.wakes("b") // in the slot of the one that failed
		q.asks("b", true, false)
		q.shows(set[upgrading](status.FaultNone, "a", "b"), nil)
		q.leave(named("b")[0])
		q.asks("d", false, false)
		q.note(named("b")[0], status.FaultOwn)
		q.wakes("other/c", "d") // d is told that its namespace is stopped
		q.asks("d", false, true)
		q.asks("other/c", true, false)
		q.shows(set[upgrading](status.FaultNone, "a", "b", "other/c"), nil)
		q.leave(named("other/c")[0])
		q.asks("third/e", false, false)
		q.note(named("other/c")[0], status.FaultVersion)
		q.wakes("third/e") // stopped everywhere
		q.asks("third/e", false, true)
		q.wakes()

		q.note(named("other/c")[0], status.FaultNone)
		q.wakes("third/e") // the slot is taken again
		q.asks("third/e", false, false)
		noList := errors.New("no list")
		q.shows(nil, noList)
		q.wakes()
		if _, _, err := q.ask(t.Context(), named("d")[0]); !errors.Is(err, noList) {
			t.Errorf("got %v", err)
		}
		q.shows(upgrading{}, nil) // all rolled out
		q.wakes("d")
		q.asks("d", true, false)
		q.forget(named("d")[0]) // deleted before its Deployment was written
		q.wakes("third/e")
		q.asks("f", false, false)
		q.leave(named("third/e")[0]) // its pass failed before it asked
		q.wakes("f")
	})
}

// TestUpgradesHaveTheirTime: an upgrade that neither ends nor fails does not keep its slot.
func TestUpgradesHaveTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		q.shows(set[upgrading](status.FaultNone, "paused"), nil)
		q.asks("other/a", false, false)
		q.waits(maxSlot - time.Second)
		q.wakes()
		q.waits(2 * lookForFreeSlots)
		if diff := cmp.Diff(named("other/a"), q.taken()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		q.asks("other/a", true, false)
	})
}

// TestUpgradesHaveTheirTimeOnce: a tenant who ends what keeps his Deployment, and begins again, gets no further time.
func TestUpgradesHaveTheirTimeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		for range 3 {
			q.shows(set[upgrading](status.FaultNone, "paused"), nil)
			q.wakes()
			q.waits(maxSlot - lookForFreeSlots)
			q.shows(upgrading{}, nil)
			q.wakes()
		}
		q.shows(set[upgrading](status.FaultNone, "paused"), nil)
		q.asks("other/a", true, false)
		q.forget(named("other/a")[0])

		q.forget(named("paused")[0]) // another resource of the name
		q.asks("other/a", false, false)
	})
}

// TestAnImageThatOthersPull is no fault of the version.
func TestAnImageThatOthersPull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(t)
		now := set[upgrading](status.FaultNone, "a", "other/a")
		q.shows(now, nil)
		for key := range now {
			q.note(key, status.FaultImage)
		}
		q.asks("third/b", false, true)
		q.prove()
		q.wakes("third/b")
		q.asks("third/b", true, false)
	})
}
