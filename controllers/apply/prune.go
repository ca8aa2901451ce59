package apply

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// Prune deletes the object of a child that the resource no longer wants, and reports whether it did. An object of
// another owner is left alone.
func (a *Applier) Prune(ctx context.Context, owner *v1alpha1.ChannelConnector, child children.Child) (deleted bool, err error) {
	live, from := child.Kind.New(), client.Reader(a.Client)
	if child.Kind.Private {
		from = a.Live
	}
	switch err := from.Get(ctx, child.Key(owner.Namespace), live); {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read %s: %w", child, err)
	}
	if !metav1.IsControlledBy(live, owner) || live.GetDeletionTimestamp() != nil {
		return false, nil
	}
	return a.delete(ctx, child, live)
}

// remove deletes a child's object that cannot become what is wanted, and reports whether a finalizer still holds it. Its end
// is an event.
func (a *Applier) remove(ctx context.Context, child children.Child, live client.Object) (held bool, err error) {
	if live.GetDeletionTimestamp() != nil {
		return true, nil
	}
	if _, err := a.delete(ctx, child, live); err != nil {
		return false, err
	}
	err = a.Live.Get(ctx, client.ObjectKeyFromObject(live), child.Kind.New())
	if err != nil && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("read %s: %w", child, err)
	}
	return err == nil, nil
}

// delete deletes this object, and neither a later one of its name nor one that has changed meanwhile: if it has lost its
// labels, the cache never hears of its end, for which whoever reads waits.
func (a *Applier) delete(ctx context.Context, child children.Child, live client.Object) (deleted bool, err error) {
	is := client.Preconditions{UID: new(live.GetUID()), ResourceVersion: new(live.GetResourceVersion())}
	opts := []client.DeleteOption{is}
	if !cached(child.Kind, live) {
		opts = append(opts, client.DisableReadYourWritesConsistency)
	}
	err = a.Client.Delete(ctx, live, opts...)
	if err != nil && !apierrors.IsNotFound(err) {
		return false, fmt.Errorf("delete %s: %w", child, err)
	}
	return err == nil, nil
}

// cached reports whether the cache of the client has an object.
func cached(kind children.Kind, object client.Object) bool {
	return !kind.Private && object.GetLabels()[marks.LabelManagedBy] == marks.ManagedBy
}
