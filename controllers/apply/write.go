package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// write makes one child as it is wanted.
type write struct {
	*Applier
	child children.Child
	// keys are those of the lists in the child's kind.
	keys keys
	// live is the object as it was found, nil where there is none.
	live client.Object
	// desired is the child's configuration in JSON; digest is its digest, and stands in marks.AnnotationApplied.
	desired []byte
	digest  string
	key     contestKey
	judgement
}

// judge compares the child with its object, and reports whether there is nothing to write.
func (w *write) judge(ctx context.Context) (settled bool, err error) {
	have, want, err := asMaps(w.live, w.desired)
	if err != nil {
		return false, err
	}
	compactWanted(want, have)
	applied := w.live.GetAnnotations()[marks.AnnotationApplied] == w.digest
	if w.child.Kind.Private {
		return applied && w.keys.contains(have, want), nil
	}
	differs := w.keys.differences(have, want)
	w.key.uid = w.live.GetUID()
	w.judgement = w.Contests.judge(w.key, w.digest, applied, differs)
	if err := w.nameManagers(ctx, want); err != nil {
		return false, err
	}
	return applied && len(differs) == len(w.left), nil
}

// nameManagers records the owners of the fields that are newly left as they are. It asks the API server, since the
// cache's objects have no managed fields.
func (w *write) nameManagers(ctx context.Context, want map[string]any) error {
	names := map[string]string{}
	for path, left := range w.left {
		if left.unnamed {
			names[path] = ""
		}
	}
	if len(names) == 0 {
		return nil
	}
	live := w.child.Kind.New()
	if err := w.Live.Get(ctx, client.ObjectKeyFromObject(w.live), live); err != nil {
		return fmt.Errorf("read who changes %s: %w", w.child, err)
	}
	have, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return err
	}
	for _, d := range w.keys.differences(have, want) {
		if path := d.path.String(); w.left[path].unnamed {
			names[path] = managers(live.GetManagedFields(), d.path)
		}
	}
	w.Contests.named(w.key, names)
	return nil
}

// send applies the child, without the fields that are left, and records what came back.
func (w *write) send(ctx context.Context, namespace string) error {
	sent, err := w.body()
	if err != nil {
		return err
	}
	got := w.child.Kind.New()
	got.SetNamespace(namespace)
	got.SetName(w.child.Name)
	err = w.patch(ctx, got, client.RawPatch(types.ApplyPatchType, sent), client.ForceOwnership, client.FieldOwner(FieldManager))
	if apierrors.IsInvalid(err) && w.live != nil && w.overwrite(ctx, got, sent) == nil {
		err = nil
	}
	if w.child.Kind.Private {
		if delete(w.Memory, w.child.Kind.Name); err == nil {
			err = w.remember(w.child.Kind, got)
		}
		return err
	}
	if err != nil {
		return err
	}
	have, want, err := asMaps(got, sent)
	if err != nil {
		return err
	}
	refused := slices.DeleteFunc(w.keys.differences(have, want), func(d difference) bool {
		_, left := w.left[d.path.String()]
		return left
	})
	w.key.uid = got.GetUID()
	w.Contests.wrote(w.key, w.digest, w.corrected, refused)
	return nil
}

// body is the child's configuration, in which the fields that are left have their present value. If a field were left
// out that the operator owns, it would go; an element of a list would lose its key.
func (w *write) body() ([]byte, error) {
	live := w.live
	if live == nil {
		live = w.child.Kind.New()
	}
	have, want, err := asMaps(live, w.desired)
	if err != nil {
		return nil, err
	}
	if err := unstructured.SetNestedField(want, w.digest, "metadata", "annotations", marks.AnnotationApplied); err != nil {
		return nil, err
	}
	sent := w.keys.merge(have, want, func(d difference) bool {
		left, ok := w.left[d.path.String()]
		return ok && !left.sent
	})
	return json.Marshal(sent)
}

// overwrite replaces every list of an object, with the elements of others. Server-side apply keeps those, and may be
// refused for it: to it, a port whose number was changed is a second port of the same name.
//
// Afterwards the fields are the operator's as if it had applied them, so that a field goes once it is no longer wanted.
func (w *write) overwrite(ctx context.Context, object client.Object, sent []byte) error {
	if err := w.patch(ctx, object, client.RawPatch(types.MergePatchType, sent), client.FieldOwner(FieldManager)); err != nil {
		return err
	}
	owned, err := csaupgrade.UpgradeManagedFieldsPatch(object, sets.New(FieldManager), FieldManager)
	if err != nil || owned == nil {
		return err
	}
	err = w.patch(ctx, object, client.RawPatch(types.JSONPatchType, owned))
	if apierrors.IsConflict(err) { // another client has written since; the next correction makes up for it
		return nil
	}
	return err
}

// patch writes the object. To read its own writes, a client begins to cache the whole objects of a kind that it writes.
func (w *write) patch(ctx context.Context, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
	if w.child.Kind.Private {
		opts = append(opts, client.DisableReadYourWritesConsistency)
	}
	return w.Client.Patch(ctx, object, patch, opts...)
}

// asMaps decodes an object and what is wanted of it. The cache's objects have no apiVersion and kind.
func asMaps(live client.Object, desired []byte) (have, want map[string]any, err error) {
	if have, err = runtime.DefaultUnstructuredConverter.ToUnstructured(live); err != nil {
		return nil, nil, err
	}
	if err := utiljson.Unmarshal(desired, &want); err != nil {
		return nil, nil, err
	}
	have["apiVersion"], have["kind"] = want["apiVersion"], want["kind"]
	return have, want, nil
}
