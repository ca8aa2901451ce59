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
	// watched are those of which the watch was added.
	watched map[placed]bool
	// told are the last errors that were logged.
	told map[placed]string

	mu sync.Mutex
	// found are the optional kinds that are there and watched; why is why another one is not.
	found map[placed]bool
	why   map[placed]error
}

// placed is a kind, by its name, in a place.
type placed struct{ place, kind string }

func newKinds(log logr.Logger, all []children.Kind, places []string) *kinds {
	return &kinds{
		log: log, all: all, places: places, watched: map[placed]bool{}, told: map[placed]string{},
		found: map[placed]bool{}, why: map[placed]error{},
	}
}

// served returns the kinds that the cluster serves, and that the operator may list in a place, in their order.
func (k *kinds) served(place string) []children.Kind {
	return slices.DeleteFunc(slices.Clone(k.all), func(kind children.Kind) bool {
		return kind.Optional && !k.has(placed{place, kind.Name})
	})
}

func (k *kinds) has(of placed) bool {
	served, _ := k.state(of)
	return served
}

// state reports whether a kind is there, or why it is not. It says neither before the first look.
func (k *kinds) state(of placed) (served bool, why error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.found[of], k.why[of]
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

// look takes in a kind in each place where it is there and may be listed, and leaves it out everywhere if it is gone. The
// first place is asked in any case, so that a kind that is gone is noticed.
func (k *kinds) look(ctx context.Context, kind children.Kind) {
	var gone error
	changed := false
	for i, place := range k.places {
		of, err := placed{place, kind.Name}, gone
		if gone == nil && (i == 0 || !k.has(of)) {
			err = k.watchIn(ctx, of, kind)
		}
		if lacking(err) {
			gone = err
		}
		changed = k.learn(of, err) || changed
	}
	if changed {
		k.wake(ctx)
	}
}

// learn takes in the result of a look, and reports whether a kind has come or gone. An error other than that it is gone says
// nothing of one that was there.
func (k *kinds) learn(of placed, err error) (changed bool) {
	had := k.has(of)
	has := err == nil || had && !lacking(err)
	k.mu.Lock()
	k.found[of], k.why[of] = has, err
	k.mu.Unlock()
	if err != nil && !had && !lacking(err) && err.Error() != k.told[of] {
		k.told[of] = err.Error()
		k.log.Error(err, "cannot watch a kind of child: the operator needs the rights of config/rbac", "kind", of.kind, "namespace", of.place)
	}
	return has != had
}

// watchIn watches a kind in a place, unless it is watched there already. Its watch stays if the kind goes: it sees the
// kind when it is back.
func (k *kinds) watchIn(ctx context.Context, of placed, kind children.Kind) error {
	err := k.serves(ctx, of.place, kind)
	if err != nil || k.watched[of] {
		return err
	}
	if err := k.watch(of.place, kind); err != nil {
		return err
	}
	k.watched[of] = true
	return nil
}
