package apply

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/kubernetes/scheme"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

var errBroken = errors.New("broken")

// rig is an Applier of an API server in memory, which counts writes and fails on demand.
type rig struct {
	*Applier
	server client.Client
	clock  *testingclock.FakePassiveClock
	writes int
	// admit changes what is applied, as a webhook does; nil for no change.
	admit func(map[string]any)
	// meanwhile happens before a deletion reaches the server; nil for nothing.
	meanwhile func()
	// fail is an error for the verb of the next request: get, live, apply, patch, delete.
	fail map[string]error
}

func newRig(objects ...client.Object) *rig {
	server := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(objects...).WithReturnManagedFields().Build()
	r := &rig{server: server, fail: map[string]error{}}
	r.clock = testingclock.NewFakePassiveClock(time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC))
	r.Applier = &Applier{
		Contests: NewContests(r.clock),
		Client:   interceptor.NewClient(server, interceptor.Funcs{Get: r.cached, Patch: r.patch, Delete: r.delete}),
		Metadata: interceptor.NewClient(server, interceptor.Funcs{Get: r.cached}),
		Live:     interceptor.NewClient(server, interceptor.Funcs{Get: r.live}),
		Slim:     Compact, Memory: Memory{},
	}
	return r
}

// cached plays a cache that holds what has the operator's label, and compacts it.
func (r *rig) cached(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	if r.fail["get"] != nil {
		return r.fail["get"]
	}
	if err := c.Get(ctx, key, object, opts...); err != nil {
		return err
	}
	if object.GetLabels()[marks.LabelManagedBy] != marks.ManagedBy {
		return apierrors.NewNotFound(corev1.Resource("objects"), key.Name)
	}
	object.SetManagedFields(nil)
	_, err := Compact(object)
	return err
}

func (r *rig) live(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
	if r.fail["live"] != nil {
		return r.fail["live"]
	}
	return c.Get(ctx, key, object, opts...)
}

func (r *rig) patch(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, opts ...client.PatchOption) error {
	r.writes++
	verb := "patch"
	if patch.Type() == types.ApplyPatchType {
		verb = "apply"
	}
	if r.fail[verb] != nil {
		return r.fail[verb]
	}
	if r.admit == nil {
		return c.Patch(ctx, object, patch, opts...)
	}
	body, err := patch.Data(object)
	if err != nil {
		return err
	}
	var asked map[string]any
	if err := utiljson.Unmarshal(body, &asked); err != nil {
		return err
	}
	r.admit(asked)
	if body, err = json.Marshal(asked); err != nil {
		return err
	}
	return c.Patch(ctx, object, client.RawPatch(patch.Type(), body), opts...)
}

func (r *rig) delete(ctx context.Context, c client.WithWatch, object client.Object, opts ...client.DeleteOption) error {
	r.writes++
	if r.fail["delete"] != nil {
		return r.fail["delete"]
	}
	if r.meanwhile != nil {
		r.meanwhile()
	}
	return c.Delete(ctx, object, opts...)
}

// child returns a child of a resource by its kind.
func child(tb testing.TB, c *v1alpha1.ChannelConnector, kind string) children.Child {
	tb.Helper()
	config := &render.Config{Files: map[string][]byte{render.FileName: []byte("kind: ConnectorConfig")}}
	for _, child := range children.Build(children.Kinds, children.Input{Connector: c, Config: config, Image: "channel-connector:1.0.0"}) {
		if child.Kind.Name == kind {
			return child
		}
	}
	tb.Fatalf("no %s", kind)
	return children.Child{}
}

// smallest are the kinds of children that the smallest resource wants. The others are applied to a real API server by the
// specs of the controllers: the one in memory does not merge a NetworkPolicy.
func smallest(tb testing.TB) []children.Kind {
	tb.Helper()
	in := children.Input{Connector: connectortest.New(tb), Config: &render.Config{}}
	return slices.DeleteFunc(slices.Clone(children.Kinds), func(kind children.Kind) bool { return kind.Want(in) == nil })
}

// TestApply: a child is made once, and again only when something is to change.
func TestApply(t *testing.T) {
	for _, kind := range smallest(t) {
		t.Run(kind.Name, func(t *testing.T) {
			ctx, r, c := t.Context(), newRig(), connectortest.New(t)
			for i, want := range []bool{true, false, false} {
				changed, err := r.Apply(ctx, c, child(t, c, kind.Name))
				if err != nil || changed != want {
					t.Fatalf("pass %d: %v, %v", i, changed, err)
				}
			}
			if r.writes != 1 {
				t.Errorf("%d writes", r.writes)
			}
			live := child(t, c, kind.Name).Kind.New()
			if err := r.server.Get(ctx, client.ObjectKey{Namespace: "chat", Name: "shop-connector"}, live); err != nil {
				t.Fatal(err)
			}
			if live.GetAnnotations()[marks.AnnotationApplied] == "" || !Claims(live, "shop") {
				t.Errorf("got %v, %v", live.GetAnnotations(), live.GetLabels())
			}
		})
	}
}

// TestApplyPutsBack: what was changed by others is put back where it is wanted, and left alone where it is not the
// operator's.
func TestApplyPutsBack(t *testing.T) {
	for name, c := range map[string]struct {
		kind   string
		change func(client.Object)
		writes int
	}{
		"a label of the operator's":      {"Service", func(o client.Object) { o.GetLabels()[marks.LabelPartOf] = "x" }, 1},
		"the label that the cache needs": {"Service", func(o client.Object) { delete(o.GetLabels(), marks.LabelManagedBy) }, 1},
		"an annotation":                  {"Service", func(o client.Object) { delete(o.GetAnnotations(), marks.AnnotationConnector) }, 1},
		"the digest":                     {"Service", func(o client.Object) { delete(o.GetAnnotations(), marks.AnnotationApplied) }, 1},
		"the owner":                      {"Service", func(o client.Object) { o.SetOwnerReferences(nil) }, 1},
		"a field": {
			"Deployment", func(o client.Object) { o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image = "x" }, 1,
		},
		"what its template was":   {"Deployment", func(o client.Object) { o.GetAnnotations()[marks.AnnotationTemplate] = "{}" }, 1},
		"data":                    {"Secret", func(o client.Object) { o.(*corev1.Secret).Data[render.FileName] = []byte("x") }, 1},
		"a label of others":       {"Service", func(o client.Object) { o.GetLabels()["team"] = "chat" }, 0},
		"an annotation of others": {"Service", func(o client.Object) { o.GetAnnotations()["team"] = "chat" }, 0},
		"a field of others": {
			"Service", func(o client.Object) { o.(*corev1.Service).Spec.SessionAffinity = corev1.ServiceAffinityClientIP }, 0,
		},
		"a template's field of others": {"Deployment", func(o client.Object) {
			o.(*appsv1.Deployment).Spec.Template.Spec.HostAliases = []corev1.HostAlias{{IP: "10.0.0.1"}}
		}, 0},
		"data of others": {"Secret", func(o client.Object) { o.(*corev1.Secret).Data["theirs"] = []byte("x") }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, r, owner := t.Context(), newRig(), connectortest.New(t)
			wanted := func() children.Child { return child(t, owner, c.kind) }
			if _, err := r.Apply(ctx, owner, wanted()); err != nil {
				t.Fatal(err)
			}
			before := wanted().Kind.New()
			if err := r.server.Get(ctx, wanted().Key("chat"), before); err != nil {
				t.Fatal(err)
			}
			changed := before.DeepCopyObject().(client.Object)
			c.change(changed)
			if err := r.server.Update(ctx, changed); err != nil {
				t.Fatal(err)
			}
			r.writes = 0
			for range 3 {
				if _, err := r.Apply(ctx, owner, wanted()); err != nil {
					t.Fatal(err)
				}
			}
			if r.writes != c.writes {
				t.Errorf("%d writes, want %d", r.writes, c.writes)
			}
			want, got := before, wanted().Kind.New()
			if c.writes == 0 {
				want = changed
			}
			if err := r.server.Get(ctx, wanted().Key("chat"), got); err != nil {
				t.Fatal(err)
			}
			want.SetResourceVersion(got.GetResourceVersion())
			want.SetManagedFields(nil)
			got.SetManagedFields(nil)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestApplyRefusesForeign: a foreign object is never taken over, and an orphan of the resource is.
func TestApplyRefusesForeign(t *testing.T) {
	ours := children.Labels("shop")
	full := map[string]string{marks.AnnotationConnector: "shop"}
	controller := func(kind, name string) []metav1.OwnerReference {
		group := "apps/v1"
		if kind == "ChannelConnector" {
			group = v1alpha1.GroupVersion.String()
		}
		return []metav1.OwnerReference{{APIVersion: group, Kind: kind, Name: name, UID: "theirs", Controller: new(true)}}
	}
	const deleteIt = ": delete it, or give the ChannelConnector another name"
	for name, c := range map[string]struct {
		there   metav1.ObjectMeta
		refused string
	}{
		"nobody's": {there: metav1.ObjectMeta{}, refused: "was not made by the operator"},
		"another tool's": {
			there: metav1.ObjectMeta{Labels: map[string]string{marks.LabelInstance: "shop"}}, refused: "was not made by the operator",
		},
		"a ReplicaSet's": {
			there: metav1.ObjectMeta{OwnerReferences: controller("ReplicaSet", "shop")}, refused: `belongs to ReplicaSet "shop"`,
		},
		"with our labels": {
			there: metav1.ObjectMeta{OwnerReferences: controller("ReplicaSet", "shop"), Labels: ours}, refused: `belongs to ReplicaSet "shop"`,
		},
		"another resource's": {
			there:   metav1.ObjectMeta{OwnerReferences: controller("ChannelConnector", "other"), Labels: ours},
			refused: `belongs to ChannelConnector "other"`,
		},
		"of a name with the hash": {
			there:   metav1.ObjectMeta{Labels: ours, Annotations: map[string]string{marks.AnnotationConnector: "s.hop"}},
			refused: `belongs to ChannelConnector "s.hop"`,
		},
		"an orphan":              {there: metav1.ObjectMeta{Labels: ours, Annotations: full}},
		"one without annotation": {there: metav1.ObjectMeta{Labels: ours}},
		"of another group": {there: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{
			APIVersion: "example.com/v1", Kind: "ChannelConnector", Name: "shop", UID: "theirs", Controller: new(true),
		}}, Labels: ours}, refused: `belongs to ChannelConnector "shop"`},
		"a deleted namesake's": {
			there: metav1.ObjectMeta{OwnerReferences: controller("ChannelConnector", "shop"), Labels: ours, Annotations: full},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.there.Namespace, c.there.Name = "chat", "shop-connector"
			r, owner := newRig(&corev1.Service{ObjectMeta: c.there}), connectortest.New(t)
			changed, err := r.Apply(t.Context(), owner, child(t, owner, "Service"))
			if c.refused == "" {
				if err != nil || !changed {
					t.Errorf("not adopted: %v, %v", changed, err)
				}
				return
			}
			foreign, ok := errors.AsType[*ForeignError](err)
			if !ok || changed || r.writes > 0 {
				t.Fatalf("%v, %v, %d writes", changed, err, r.writes)
			}
			if want := `Service "shop-connector" exists and ` + c.refused + deleteIt; foreign.Error() != want {
				t.Errorf("got  %s\nwant %s", foreign, want)
			}
		})
	}
}

// TestApplyFails: an error names the child, and keeps its kind.
func TestApplyFails(t *testing.T) {
	for verb, want := range map[string]string{
		"get":   `read Service "shop-connector": broken`,
		"live":  `read Service "shop-connector": broken`,
		"apply": `apply Service "shop-connector": broken`,
	} {
		t.Run(verb, func(t *testing.T) {
			r, owner := newRig(), connectortest.New(t)
			r.fail[verb] = errBroken
			changed, err := r.Apply(t.Context(), owner, child(t, owner, "Service"))
			if changed || !errors.Is(err, errBroken) || err.Error() != want {
				t.Errorf("%v, %v, want %s", changed, err, want)
			}
		})
	}
	unknown := &Applier{Client: fake.NewClientBuilder().WithScheme(runtime.NewScheme()).Build()}
	owner := connectortest.New(t)
	if _, err := unknown.Apply(t.Context(), owner, child(t, owner, "Service")); err == nil {
		t.Error("a client that does not know the child's kind applies it")
	}
}

// TestApplyOverwrites: where others' elements of a list make the object invalid, they go; where that does not help
// either, the error is the first one's.
func TestApplyOverwrites(t *testing.T) {
	ctx, r, owner := t.Context(), newRig(), connectortest.New(t)
	r.fail["apply"] = apierrors.NewInvalid(schema.GroupKind{Kind: "Service"}, "shop-connector", nil)
	if _, err := r.Apply(ctx, owner, child(t, owner, "Service")); !apierrors.IsInvalid(err) || r.writes != 1 {
		t.Fatalf("a new one: %v, %d writes", err, r.writes)
	}
	there := &corev1.Service{}
	there.Namespace, there.Name, there.Labels = "chat", "shop-connector", children.Labels("shop")
	there.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 8080}}
	if err := r.server.Create(ctx, there); err != nil {
		t.Fatal(err)
	}
	r.fail["patch"] = errBroken
	if changed, err := r.Apply(ctx, owner, child(t, owner, "Service")); changed || !apierrors.IsInvalid(err) {
		t.Fatalf("%v, %v", changed, err)
	}
	delete(r.fail, "patch")
	for i, want := range []bool{true, false} {
		if changed, err := r.Apply(ctx, owner, child(t, owner, "Service")); err != nil || changed != want {
			t.Fatalf("pass %d: %v, %v", i, changed, err)
		}
	}
	if err := r.server.Get(ctx, client.ObjectKeyFromObject(there), there); err != nil {
		t.Fatal(err)
	}
	if len(there.Spec.Ports) != 1 || there.Spec.Ports[0].Port != 80 {
		t.Errorf("got %v", there.Spec.Ports)
	}
}
