package controllers

import (
	"context"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"

	"xbot.a4b.vn/channel-connector/controllers/children"
)

// kinds are the kinds of children that the cluster serves. An optional one is looked for all the time: it may come and
// go.
type kinds struct {
	log logr.Logger
	all []children.Kind
	// places are the namespaces in which children are watched.
	places []string
	// serves returns an error unless the cluster serves a kind and lets the operator list it in a place: every pass
	// would wait for the cache of a kind that it may not list.
	serves func(ctx context.Context, place string, kind children.Kind) error
	// watch watches a kind in a place, for as long as the operator runs; wake lets every resource have a pass.
	watch func(place string, kind children.Kind) error
	wake  func(context.Context)
	// watched are the places and kinds of which the watch was added.
	watched map[[2]string]bool
	// told are the last errors that were logged, by kind.
	told map[string]string

	mu sync.Mutex
	// found are the optional kinds that are there and watched, by name; why is why another one is not.
	found map[string]bool
	why   map[string]error
}

func newKinds(log logr.Logger, all []children.Kind, places []string) *kinds {
	return &kinds{
		log: log, all: all, places: places, watched: map[[2]string]bool{}, told: map[string]string{},
		found: map[string]bool{}, why: map[string]error{},
	}
}

// served returns the kinds that the cluster serves, in their order.
func (k *kinds) served() []children.Kind {
	return slices.DeleteFunc(slices.Clone(k.all), func(kind children.Kind) bool { return kind.Optional && !k.has(kind) })
}

func (k *kinds) has(kind children.Kind) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.found[kind.Name]
}

// state reports whether a kind is there, or why it is not. It says neither before the first look.
func (k *kinds) state(name string) (served bool, why error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.found[name], k.why[name]
}

// Start looks for optional kinds until ctx ends.
func (k *kinds) Start(ctx context.Context) error {
	optional := slices.DeleteFunc(slices.Clone(k.all), func(kind children.Kind) bool { return !kind.Optional })
	_ = wait.PollUntilContextCancel(ctx, lookAgain, true, func(ctx context.Context) (bool, error) {
		for _, kind := range optional {
			k.look(ctx, kind)
		}
		return len(optional) == 0, nil
	}) // ctx has ended, or there is nothing to look for
	return nil
}

// look takes in a kind if it is there, and leaves it out if it is gone. Any other error says nothing of a kind that was
// there.
func (k *kinds) look(ctx context.Context, kind children.Kind) {
	err := k.watchEverywhere(ctx, kind)
	gone := lacking(err)
	k.mu.Lock()
	k.why[kind.Name] = err
	k.mu.Unlock()
	switch had := k.has(kind); {
	case err == nil && !had, gone && had:
		k.mu.Lock()
		k.found[kind.Name] = !gone
		k.mu.Unlock()
		k.wake(ctx)
	case err != nil && !gone && !had && err.Error() != k.told[kind.Name]:
		k.told[kind.Name] = err.Error()
		k.log.Error(err, "cannot watch a kind of child: the operator needs the rights of config/rbac", "kind", kind.Name)
	}
}

// watchEverywhere watches a kind in each place where it is not watched yet. The first place is asked in any case, so
// that a kind that is gone is noticed. Its watches stay: they see the kind when it is back.
func (k *kinds) watchEverywhere(ctx context.Context, kind children.Kind) error {
	for i, place := range k.places {
		of := [2]string{place, kind.Name}
		if i == 0 || !k.watched[of] {
			if err := k.serves(ctx, place, kind); err != nil {
				return err
			}
		}
		if k.watched[of] {
			continue
		}
		if err := k.watch(place, kind); err != nil {
			return err
		}
		k.watched[of] = true
	}
	return nil
}
