package controllers

import (
	"context"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"

	"xbot.a4b.vn/channel-connector/controllers/children"
)

// kinds are the kinds of children that the cluster serves. An optional one is looked for until it is there.
type kinds struct {
	log logr.Logger
	all []children.Kind
	// serves returns an error unless the cluster serves a kind and lets the operator list it: every pass would wait for
	// the cache of a kind that it may not list.
	serves func(context.Context, children.Kind) error
	// watch watches a kind that the cluster serves now; wake lets every resource have a pass.
	watch func(children.Kind) error
	wake  func(context.Context)
	// told is the last error that was logged.
	told string

	mu sync.Mutex
	// found are the optional kinds that are watched, by name.
	found map[string]bool
}

// served returns the kinds that the cluster serves, in their order.
func (k *kinds) served() []children.Kind {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(k.all), func(kind children.Kind) bool { return kind.Optional && !k.found[kind.Name] })
}

// Start looks for kinds until none is lacked.
func (k *kinds) Start(ctx context.Context) error {
	_ = wait.PollUntilContextCancel(ctx, lookAgain, true, func(ctx context.Context) (all bool, err error) {
		all = true
		for _, kind := range k.all {
			if kind.Optional && !k.found[kind.Name] {
				all = k.look(ctx, kind) && all
			}
		}
		return all, nil
	}) // ctx has ended, or none is lacked
	return nil
}

// look reports whether a kind is there, which is watched from now on.
func (k *kinds) look(ctx context.Context, kind children.Kind) bool {
	err := k.serves(ctx, kind)
	if err == nil {
		err = k.watch(kind)
	}
	if err != nil {
		if !meta.IsNoMatchError(err) && err.Error() != k.told {
			k.told = err.Error()
			k.log.Error(err, "cannot watch a kind of child: the operator needs the rights of config/rbac", "kind", kind.Name)
		}
		return false
	}
	k.mu.Lock()
	k.found[kind.Name] = true
	k.mu.Unlock()
	k.wake(ctx)
	return true
}
