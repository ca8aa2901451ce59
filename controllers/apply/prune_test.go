package apply

import (
	stdcmp "cmp"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
)

func TestPrune(t *testing.T) {
	owned := metav1.ObjectMeta{
		Labels: children.Labels("shop"), UID: "1",
		OwnerReferences: []metav1.OwnerReference{{Kind: "ChannelConnector", Name: "shop", UID: connectortest.New(t).UID, Controller: new(true)}},
	}
	going := *owned.DeepCopy()
	going.DeletionTimestamp, going.Finalizers = &metav1.Time{Time: metav1.Now().Time}, []string{"example.com/wait"}
	namesakes := *owned.DeepCopy()
	namesakes.OwnerReferences[0].UID = "of a deleted one"
	for name, c := range map[string]struct {
		there   *metav1.ObjectMeta
		fail    map[string]error
		deleted bool
		failed  string
	}{
		"there":               {there: &owned, deleted: true},
		"not there":           {},
		"a foreign one":       {there: &metav1.ObjectMeta{Labels: children.Labels("shop")}},
		"a deleted namesakes": {there: &namesakes},
		"going already":       {there: &going},
		"gone meanwhile": {
			there: &owned, fail: map[string]error{"delete": apierrors.NewNotFound(corev1.Resource("serviceaccounts"), "shop-connector")},
		},
		"unreadable":  {there: &owned, fail: map[string]error{"get": errBroken}, failed: `read ServiceAccount "shop-connector": broken`},
		"undeletable": {there: &owned, fail: map[string]error{"delete": errBroken}, failed: `delete ServiceAccount "shop-connector": broken`},
	} {
		t.Run(name, func(t *testing.T) {
			r, owner := newRig(), connectortest.New(t)
			if c.there != nil {
				there := *c.there.DeepCopy()
				there.Namespace, there.Name = "chat", "shop-connector"
				r = newRig(&corev1.ServiceAccount{ObjectMeta: there})
			}
			r.fail = c.fail
			deleted, err := r.Prune(t.Context(), owner, child(t, owner, "ServiceAccount"))
			if deleted != c.deleted || fmt.Sprint(err) != stdcmp.Or(c.failed, "<nil>") {
				t.Errorf("got %v, %v, want %v, %s", deleted, err, c.deleted, c.failed)
			}
			err = r.server.Get(t.Context(), client.ObjectKey{Namespace: "chat", Name: "shop-connector"}, &corev1.ServiceAccount{})
			if gone := apierrors.IsNotFound(err); gone != (c.deleted || c.there == nil) {
				t.Errorf("gone: %v", gone)
			}
		})
	}
}

// TestPruneOfTheChanged: an object that loses its labels before it is deleted stays for another pass. The cache never
// hears of its end.
func TestPruneOfTheChanged(t *testing.T) {
	owner := connectortest.New(t)
	there := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Namespace: "chat", Name: "shop-connector", Labels: children.Labels("shop"),
		OwnerReferences: []metav1.OwnerReference{{Kind: "ChannelConnector", Name: "shop", UID: owner.UID, Controller: new(true)}},
	}}
	r := newRig(there)
	r.meanwhile = func() {
		stripped := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":null}}`))
		if err := r.server.Patch(t.Context(), there.DeepCopy(), stripped); err != nil {
			t.Error(err)
		}
	}
	if deleted, err := r.Prune(t.Context(), owner, child(t, owner, "ServiceAccount")); deleted || !apierrors.IsConflict(err) {
		t.Errorf("got %v, %v, want a conflict", deleted, err)
	}
}
