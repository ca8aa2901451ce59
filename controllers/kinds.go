package controllers

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"xbot.a4b.vn/channel-connector/controllers/children"
)

// kinds are the kinds of children that the cluster serves. One that it lacks is looked for
// until it is there.
type kinds struct {
	mgr ctrl.Manager
	log logr.Logger
	// watch watches a kind that the cluster serves now; wake lets every resource have a pass.
	watch func(children.Kind) error
	wake  func(context.Context)

	mu     sync.Mutex
	all    []children.Kind
	lacked map[string]bool
}

func newKinds(mgr ctrl.Manager, all []children.Kind, watch func(children.Kind) error, wake func(context.Context)) *kinds {
	k := &kinds{mgr: mgr, log: mgr.GetLogger(), watch: watch, wake: wake, all: all, lacked: map[string]bool{}}
	for _, kind := range all {
		if kind.Optional {
			k.lacked[kind.Name] = true
		}
	}
	return k
}

// served returns the kinds that the cluster serves, in their order.
func (k *kinds) served() []children.Kind {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(k.all), func(kind children.Kind) bool { return k.lacked[kind.Name] })
}

// Start looks for kinds until none is lacked.
func (k *kinds) Start(ctx context.Context) error {
	_ = wait.PollUntilContextCancel(ctx, lookAgain, true, func(ctx context.Context) (bool, error) {
		done := true
		for _, kind := range k.all {
			if k.lacked[kind.Name] && !k.look(ctx, kind) {
				done = false
			}
		}
		return done, nil
	}) // ctx has ended, or none is lacked
	return nil
}

// look reports whether the cluster serves a kind that it lacked.
func (k *kinds) look(ctx context.Context, kind children.Kind) bool {
	err := k.serves(kind)
	if err == nil {
		err = k.watch(kind)
	}
	if err != nil {
		k.log.V(1).Info("a kind of child is left out", "kind", kind.Name, "err", err.Error())
		return false
	}
	k.mu.Lock()
	delete(k.lacked, kind.Name)
	k.mu.Unlock()
	k.wake(ctx)
	return true
}

// serves returns an error unless the cluster serves a kind.
func (k *kinds) serves(kind children.Kind) error {
	gvk, err := apiutil.GVKForObject(kind.New(), k.mgr.GetScheme())
	if err != nil {
		return fmt.Errorf("find the group of %s: %w", kind.Name, err)
	}
	_, err = k.mgr.GetRESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		return fmt.Errorf("the cluster does not serve %s", gvk)
	}
	return err
}
