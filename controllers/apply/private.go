package apply

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"xbot.a4b.vn/channel-connector/controllers/children"
)

// Memory holds the private objects of one ChannelConnector by their kind, as they were last read or written and as
// Applier.Slim leaves them. Only one pass at a time uses it.
type Memory map[string]client.Object

// MaxKept bounds an object in a Memory, in bytes. A larger one is read with each pass.
const MaxKept = 16 << 10

// Private returns the object of a private kind, nil if there is none. It must not be changed.
//
// The cache has the metadata of such an object only. If that shows another version than the remembered one, or none, the
// object is read from the API server: a cache that lags behind costs a read, and nothing is ever taken from it.
func (a *Applier) Private(ctx context.Context, kind children.Kind, key client.ObjectKey) (client.Object, error) {
	gvk, err := apiutil.GVKForObject(kind.New(), a.Metadata.Scheme())
	if err != nil {
		return nil, err
	}
	cached := &metav1.PartialObjectMetadata{}
	cached.SetGroupVersionKind(gvk)
	err = a.Metadata.Get(ctx, key, cached, client.DisableReadYourWritesConsistency)
	if known := a.Memory[kind.Name]; err == nil && known != nil &&
		known.GetUID() == cached.UID && known.GetResourceVersion() == cached.ResourceVersion {
		return known, nil
	}
	live := kind.New()
	if err == nil || apierrors.IsNotFound(err) {
		err = a.Live.Get(ctx, key, live)
	}
	delete(a.Memory, kind.Name)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // there is no object and nothing is wrong
	case err != nil:
		return nil, fmt.Errorf("read %s %q: %w", kind.Name, key.Name, err)
	}
	return live, a.remember(kind, live)
}

// remember slims an object that was read or written, and keeps it for the next pass.
func (a *Applier) remember(kind children.Kind, object client.Object) error {
	if _, err := a.Slim(object); err != nil {
		return err
	}
	if a.Memory != nil && Size(object) <= MaxKept {
		a.Memory[kind.Name] = object
	}
	return nil
}
