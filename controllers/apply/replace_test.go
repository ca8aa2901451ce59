package apply

import (
	stdcmp "cmp"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
)

// TestReplace: an object that cannot become what is wanted is deleted and made again, once no finalizer holds it. Only the
// resource's own is.
func TestReplace(t *testing.T) {
	const name = `ServiceAccount "shop-connector"`
	mine := metav1.ObjectMeta{Namespace: "chat", Name: "shop-connector", Labels: children.Labels("shop"), UID: "1"}
	mine.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: "xbot.a4b.vn/v1alpha1", Kind: "ChannelConnector", Name: "shop", UID: connectortest.New(t).UID, Controller: new(true),
	}}
	namesakes, held := *mine.DeepCopy(), *mine.DeepCopy()
	namesakes.OwnerReferences[0].UID = "of a deleted one"
	held.Finalizers = []string{"example.com/wait"}
	going := *held.DeepCopy()
	going.DeletionTimestamp = &metav1.Time{Time: metav1.Now().Time}
	for what, c := range map[string]struct {
		there   metav1.ObjectMeta
		fail    map[string]error
		changed bool
		writes  int
		remains bool
		failed  string
	}{
		"its own":             {there: mine, changed: true, writes: 2},
		"a deleted namesakes": {there: namesakes, changed: true, writes: 1, remains: true},
		"held":                {there: held, writes: 1, remains: true},
		"going already":       {there: going, remains: true},
		"gone meanwhile": {
			there: mine, fail: map[string]error{"delete": apierrors.NewNotFound(corev1.Resource("serviceaccounts"), "shop-connector")},
			writes: 1, remains: true, // it is there all the same, and so is waited for
		},
		"another one meanwhile": {
			there: mine, fail: map[string]error{"delete": errBroken}, writes: 1, remains: true, failed: "delete " + name + ": broken",
		},
		"unknown whether it is held": {there: mine, fail: map[string]error{"live": errBroken}, writes: 1, failed: "read " + name + ": broken"},
	} {
		t.Run(what, func(t *testing.T) {
			r, owner := newRig(&corev1.ServiceAccount{ObjectMeta: c.there}), connectortest.New(t)
			r.fail = c.fail
			wanted := child(t, owner, "ServiceAccount")
			wanted.Kind.Replace = func(_ runtime.ApplyConfiguration, live client.Object) bool { return live.GetUID() == "1" }
			changed, err := r.Apply(t.Context(), owner, wanted)
			if changed != c.changed || fmt.Sprint(err) != stdcmp.Or(c.failed, "<nil>") || r.writes != c.writes {
				t.Errorf("got %v, %v after %d writes; want %v, %s and %d", changed, err, r.writes, c.changed, c.failed, c.writes)
			}
			live := &corev1.ServiceAccount{}
			err = r.server.Get(t.Context(), client.ObjectKey{Namespace: "chat", Name: "shop-connector"}, live)
			if remains := err == nil && live.UID == "1"; remains != c.remains {
				t.Errorf("the old one remains: %v", remains)
			}
		})
	}
}
