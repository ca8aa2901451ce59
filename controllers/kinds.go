package controllers

import (
	"context"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"xbot.a4b.vn/channel-connector/controllers/children"
)

// kinds are the kinds of children that the cluster serves. One that it lacks is looked for
// until it is there.
type kinds struct {
	mgr ctrl.Manager
	// watch watches a kind that the cluster serves now; wake lets every resource have a pass.
	watch func(children.Kind) error
	wake  func(context.Context)

	mu     sync.Mutex
	all    []children.Kind
	lacked map[string]bool
}

func newKinds(mgr ctrl.Manager, all []children.Kind, watch func(children.Kind) error, wake func(context.Context)) *kinds {
	k := &kinds{mgr: mgr, watch: watch, wake: wake, all: all, lacked: map[string]bool{}}
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
		for _, kind := range k.all {
			if !k.lacked[kind.Name] || !k.serves(kind) {
				continue
			}
			if err := k.watch(kind); err != nil {
				k.mgr.GetLogger().Error(err, "cannot watch a kind of child", "kind", kind.Name)
				continue
			}
			k.mu.Lock()
			delete(k.lacked, kind.Name)
			k.mu.Unlock()
			k.wake(ctx)
		}
		return len(k.lacked) == 0, nil
	}) // ctx has ended, or none is lacked
	return nil
}

// serves reports whether the cluster serves a kind, as far as it says.
func (k *kinds) serves(kind children.Kind) bool {
	gvk, err := apiutil.GVKForObject(kind.New(), k.mgr.GetScheme())
	if err == nil {
		_, err = k.mgr.GetRESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	}
	return err == nil
}
