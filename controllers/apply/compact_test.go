package apply

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// served returns a child as an API server would give it out.
func served(t *testing.T, kind string) client.Object {
	t.Helper()
	r, owner := newRig(), connectortest.New(t)
	wanted := child(t, owner, kind)
	if _, err := r.Apply(t.Context(), owner, wanted); err != nil {
		t.Fatal(err)
	}
	object := wanted.Kind.New()
	if err := r.server.Get(t.Context(), wanted.Key("chat"), object); err != nil {
		t.Fatal(err)
	}
	return object
}

// compacted transforms an object twice, as a cache may.
func compacted(t *testing.T, object client.Object) client.Object {
	t.Helper()
	once, err := Compact(object.DeepCopyObject())
	if err != nil {
		t.Fatal(err)
	}
	first, _ := once.(client.Object)
	twice, err := Compact(first.DeepCopyObject())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(once, twice); diff != "" {
		t.Fatalf("the second time (-once +twice):\n%s", diff)
	}
	return first
}

// TestCompact: what weighs most is gone, and everything else is as it was.
func TestCompact(t *testing.T) {
	for _, kind := range smallest(t) {
		t.Run(kind.Name, func(t *testing.T) {
			whole := served(t, kind.Name)
			small := compacted(t, whole)
			for _, object := range []client.Object{whole, small} {
				switch o := object.(type) {
				case *appsv1.Deployment:
					o.Spec.Template = corev1.PodTemplateSpec{}
					delete(o.Annotations, marks.AnnotationTemplate)
				case *corev1.Secret:
					o.Data = nil
				}
			}
			if diff := cmp.Diff(whole, small); diff != "" {
				t.Errorf("besides (-whole +compact):\n%s", diff)
			}
		})
	}
}

// TestCompactLeavesNoConfiguration: the operator's memory holds no secret for longer than a pass.
func TestCompactLeavesNoConfiguration(t *testing.T) {
	whole, _ := served(t, "Secret").(*corev1.Secret)
	encoded, err := json.Marshal(compacted(t, whole))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range whole.Data {
		if part := content[:20]; bytes.Contains(encoded, part) {
			t.Errorf("%s is still there", name)
		}
	}
}

// TestCompactKeepsTheAPIKey, which is read from the cache.
func TestCompactKeepsTheAPIKey(t *testing.T) {
	secret, err := children.APIKeySecret(connectortest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(secret, compacted(t, secret)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCompactKeepsAChangedTemplate whole, so that the change is seen.
func TestCompactKeepsAChangedTemplate(t *testing.T) {
	deployment, _ := served(t, "Deployment").(*appsv1.Deployment)
	deployment.Spec.Template.Spec.Containers[0].Image = "other"
	got, _ := compacted(t, deployment).(*appsv1.Deployment)
	if diff := cmp.Diff(deployment.Spec, got.Spec); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
