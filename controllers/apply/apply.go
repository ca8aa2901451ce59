// Package apply brings children to the API server: the one way in which the operator writes them.
//
// A child is applied with server-side apply by one field manager, and only if that changes something: if the digest in
// the child's annotation is not that of the present configuration, or if a wanted field is gone. Labels, annotations
// and fields of others are left alone, unless they make the object invalid. An object of another owner is never taken
// over. A field that another writer keeps changing is put back more and more rarely.
package apply

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// FieldManager is the operator's name in managed fields.
const FieldManager = "channel-connector-operator"

// Applier applies children.
type Applier struct {
	// Client reads its own writes from a cache that holds the operator's own objects as Compact leaves them, and
	// writes.
	Client client.Client
	// Metadata reads from a cache that holds the metadata of every object of the private kinds.
	Metadata client.Client
	// Live reads from the API server. It is asked only for objects that the cache lacks, since they may exist and belong
	// to another owner, and for private ones that have changed.
	Live client.Reader
	// Slim changes an object as the cache does; it calls Compact.
	Slim func(object any) (any, error)
	// Memory holds the owner's private objects.
	Memory Memory
	// Contests remember the fields that others change back.
	Contests *Contests
}

// ForeignError says that an object of another owner has a child's name.
type ForeignError struct {
	// Child is the object in a message: Service "shop-connector".
	Child string
	// Owner is its owner: ReplicaSet "shop"; empty if it has none.
	Owner string
}

// Error says what to do.
func (e *ForeignError) Error() string {
	whose := "was not made by the operator"
	if e.Owner != "" {
		whose = "belongs to " + e.Owner
	}
	return fmt.Sprintf("%s exists and %s: delete it, or give the ChannelConnector another name", e.Child, whose)
}

// Apply makes the object as the child wants it and reports whether that took a write. Fields that others contest are
// left as they are for a while: see Contests. An object that cannot become so is deleted, and made again. The error is a
// *ForeignError if the name is taken.
func (a *Applier) Apply(ctx context.Context, owner *v1alpha1.ChannelConnector, child children.Child) (changed bool, err error) {
	live, err := a.find(ctx, owner, child)
	if err != nil {
		return false, err
	}
	if live != nil && child.Kind.Fit != nil {
		child.Kind.Fit(child.Desired, live)
	}
	if live != nil && child.Kind.Replace != nil && metav1.IsControlledBy(live, owner) && child.Kind.Replace(child.Desired, live) {
		if held, err := a.remove(ctx, child, live); held || err != nil {
			return false, err
		}
		live = nil
	}
	desired, err := child.JSON()
	if err != nil {
		return false, fmt.Errorf("encode %s: %w", child, err)
	}
	sum := sha256.Sum256(desired)
	w := &write{Applier: a, child: child, keys: keysOf(child.Kind.Merge), live: live, desired: desired, digest: hex.EncodeToString(sum[:8])}
	w.key = contestKey{owner: client.ObjectKeyFromObject(owner), child: child.String()}
	if live != nil {
		settled, err := w.judge(ctx)
		if err != nil || settled {
			return false, err
		}
	}
	if err := w.send(ctx, owner.Namespace); err != nil {
		return false, fmt.Errorf("apply %s: %w", child, err)
	}
	return true, nil
}

// find returns the child's object: as the cache has it, or, if the object lost the labels by which the cache finds it,
// as the API server has it. It is nil if there is none.
func (a *Applier) find(ctx context.Context, owner *v1alpha1.ChannelConnector, child children.Child) (client.Object, error) {
	key := child.Key(owner.Namespace)
	if child.Kind.Private {
		live, err := a.Private(ctx, child.Kind, key)
		if live == nil || err != nil {
			return nil, err
		}
		return live, refuseForeign(owner, child, live)
	}
	live := child.Kind.New()
	err := a.Client.Get(ctx, key, live)
	if apierrors.IsNotFound(err) {
		if err = a.Live.Get(ctx, key, live); err == nil {
			_, err = a.Slim(live)
		}
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // there is no object and nothing is wrong
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", child, err)
	}
	return live, refuseForeign(owner, child, live)
}

// refuseForeign returns an error unless an object is the resource's.
func refuseForeign(owner *v1alpha1.ChannelConnector, child children.Child, object client.Object) error {
	if Belongs(object, owner) {
		return nil
	}
	foreign := &ForeignError{Child: child.String()}
	if controller := metav1.GetControllerOf(object); controller != nil {
		foreign.Owner = fmt.Sprintf("%s %q", controller.Kind, controller.Name)
	} else if name := object.GetAnnotations()[marks.AnnotationConnector]; name != "" && name != owner.Name {
		foreign.Owner = fmt.Sprintf("ChannelConnector %q", name)
	}
	return foreign
}

// Belongs reports whether an object is the resource's. So is one without an owner whose labels name the resource, which
// is adopted, and one of a deleted resource of the same name.
func Belongs(object client.Object, owner *v1alpha1.ChannelConnector) bool {
	controller := metav1.GetControllerOf(object)
	if controller == nil {
		return Claims(object, owner.Name)
	}
	group, err := schema.ParseGroupVersion(controller.APIVersion)
	return err == nil && group.Group == v1alpha1.GroupVersion.Group && controller.Kind == "ChannelConnector" && controller.Name == owner.Name
}

// Claims reports whether an object's labels name the ChannelConnector. If a name is what another one is shortened to,
// both have the same label; the annotation tells them apart.
func Claims(object client.Object, name string) bool {
	labels, inFull := object.GetLabels(), object.GetAnnotations()[marks.AnnotationConnector]
	return labels[marks.LabelManagedBy] == marks.ManagedBy && labels[marks.LabelConnector] == children.Instance(name) &&
		(inFull == "" || inFull == name)
}
