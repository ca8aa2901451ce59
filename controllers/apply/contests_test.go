package apply

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

var shop = client.ObjectKey{Namespace: "chat", Name: "shop"}

// contest is a child of an API server in memory that others write to.
type contest struct {
	*rig
	t     *testing.T
	owner *v1alpha1.ChannelConnector
	kind  string
}

func newContest(t *testing.T, kind string) *contest {
	t.Helper()
	c := &contest{newRig(), t, connectortest.New(t), kind}
	c.pass()
	return c
}

// pass applies the child and returns the number of writes.
func (c *contest) pass() int {
	c.t.Helper()
	before := c.writes
	if _, err := c.Apply(c.t.Context(), c.owner, child(c.t, c.owner, c.kind)); err != nil {
		c.t.Fatal(err)
	}
	return c.writes - before
}

// object returns the child as it is.
func (c *contest) object() client.Object {
	c.t.Helper()
	wanted := child(c.t, c.owner, c.kind)
	object := wanted.Kind.New()
	if err := c.server.Get(c.t.Context(), wanted.Key("chat"), object); err != nil {
		c.t.Fatal(err)
	}
	return object
}

// theirs writes as another field manager does.
func (c *contest) theirs(change func(client.Object)) {
	c.t.Helper()
	object := c.object()
	change(object)
	if err := c.server.Update(c.t.Context(), object, client.FieldOwner("theirs")); err != nil {
		c.t.Fatal(err)
	}
}

// after puts the clock forward.
func (c *contest) after(d time.Duration) *contest {
	c.clock.SetTime(c.clock.Now().Add(d))
	return c
}

// scale is what a user writes to get more pods.
func scale(o client.Object) { o.(*appsv1.Deployment).Spec.Replicas = new(int32(3)) }

// damp lets others write until the field is left to them.
func (c *contest) damp(change func(client.Object)) {
	c.t.Helper()
	for range promptCorrections {
		c.theirs(change)
		if c.pass() == 0 {
			c.t.Fatal("not put back")
		}
	}
	c.theirs(change)
	if n := c.pass(); n != 0 {
		c.t.Fatalf("%d writes of what is contested", n)
	}
}

// TestContestIsLeft: after three corrections a field is left as it is, and is put back after a time that doubles up to
// its bound.
func TestContestIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		kind, field string
		change      func(client.Object)
		managers    string
	}{
		"the number of pods": {"Deployment", "spec.replicas", scale, `"theirs"`},
		"the image": {"Deployment", "spec.template.spec.containers[name=connector].image", func(o client.Object) {
			o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image = "theirs"
		}, `"theirs"`},
		"a field taken away": {"Deployment", "spec.template.spec.containers[name=connector].livenessProbe", func(o client.Object) {
			o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].LivenessProbe = nil
		}, ""},
		"a port's target": {"Service", "spec.ports[name=http].appProtocol", func(o client.Object) {
			o.(*corev1.Service).Spec.Ports[0].AppProtocol = new("theirs")
		}, `"theirs"`},
		"a label of no use": {"Service", "metadata.labels[app.kubernetes.io/part-of]", func(o client.Object) {
			o.GetLabels()[marks.LabelPartOf] = "theirs"
		}, `"theirs"`},
		"a token": {"ServiceAccount", "automountServiceAccountToken", func(o client.Object) {
			o.(*corev1.ServiceAccount).AutomountServiceAccountToken = new(true)
		}, `"theirs"`},
	} {
		t.Run(name, func(t *testing.T) {
			x := newContest(t, c.kind)
			x.damp(c.change)
			all, _ := x.Contests.Of(shop)
			want := []Contest{{Child: fmt.Sprintf("%s %q", c.kind, "shop-connector"), Field: c.field, Managers: c.managers}}
			if diff := cmp.Diff(want, all); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, seconds := range []int{10, 20, 40, 80, 160, 320, 600, 600} {
				pause := time.Duration(seconds) * time.Second
				if _, next := x.Contests.Of(shop); next != pause {
					t.Fatalf("the next look is after %v, want %v", next, pause)
				}
				if n := x.after(pause - 1).pass(); n != 0 {
					t.Fatalf("%d writes before %v", n, pause)
				}
				if n := x.after(1).pass(); n != 1 {
					t.Fatalf("%d writes after %v", n, pause)
				}
				if x.theirs(c.change); x.pass() != 0 {
					t.Fatal("put back at once")
				}
			}
		})
	}
}

// TestContestEnds: the contest is over once a correction has lasted, and forgotten after ten quiet minutes; until then
// the next one is not prompt.
func TestContestEnds(t *testing.T) {
	x := newContest(t, "Deployment")
	x.damp(scale)
	if n := x.after(minPause).pass(); n != 1 {
		t.Fatalf("%d writes", n)
	}
	if all, next := x.Contests.Of(shop); len(all) != 1 || next != proof || x.Contests.Left() != 1 {
		t.Errorf("at once: %v, %v", all, next)
	}
	x.after(proof).pass()
	if all, next := x.Contests.Of(shop); len(all) != 0 || next != 0 || x.Contests.Left() != 0 {
		t.Errorf("later: %v, %v", all, next)
	}
	x.after(quiet - proof - 1).theirs(scale)
	if n := x.pass(); n != 1 {
		t.Fatalf("%d writes when the pause is over", n)
	}
	if x.theirs(scale); x.pass() != 0 {
		t.Error("forgotten too early")
	}
	x.after(2*minPause + minPause + minPause).pass()
	x.after(quiet).theirs(scale)
	for range promptCorrections {
		if x.theirs(scale); x.pass() != 1 {
			t.Fatal("not forgotten")
		}
	}
}

// TestContestIsOverdue: a correction that did not come when it was due is looked for soon, then ever more rarely, until
// it counts as one of a child that nobody wants.
func TestContestIsOverdue(t *testing.T) {
	x := newContest(t, "Deployment")
	x.damp(scale)
	x.after(minPause)
	var looks []time.Duration
	for {
		_, next := x.Contests.Of(shop)
		if next == 0 {
			break
		}
		looks = append(looks, next/time.Second)
		x.after(next)
	}
	if diff := cmp.Diff([]time.Duration{1, 1, 2, 4, 8, 16, 32, 64, 128, 256, 88}, looks); diff != "" {
		t.Errorf("seconds (-want +got):\n%s", diff)
	}
}

// TestContestIsWrittenAround: what else is not as wanted is put back at once, with what is contested as it is.
func TestContestIsWrittenAround(t *testing.T) {
	theirs := func(o client.Object) { o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image = "theirs" }
	x := newContest(t, "Deployment")
	x.damp(theirs)
	x.theirs(scale)
	if n := x.pass(); n != 1 {
		t.Fatalf("%d writes of another field", n)
	}
	x.owner.Spec.Workload.NodeSelector = map[string]v1alpha1.LabelValue{"zone": "a"}
	if n := x.pass(); n != 1 {
		t.Fatalf("%d writes of a changed resource", n)
	}
	got, _ := x.object().(*appsv1.Deployment)
	if *got.Spec.Replicas != 1 || got.Spec.Template.Spec.NodeSelector["zone"] != "a" ||
		got.Spec.Template.Spec.Containers[0].Image != "theirs" {
		t.Errorf("got %d, %v, %s", *got.Spec.Replicas, got.Spec.Template.Spec.NodeSelector, got.Spec.Template.Spec.Containers[0].Image)
	}
	if n := x.pass(); n != 0 {
		t.Errorf("%d writes of a settled child", n)
	}
	x.owner.Spec.Workload.NodeSelector = nil
	x.after(minPause).pass()
	if got, _ := x.object().(*appsv1.Deployment); got.Spec.Template.Spec.Containers[0].Image != "channel-connector:1.0.0" ||
		got.Spec.Template.Spec.NodeSelector["zone"] != "" {
		t.Errorf("got %v", got.Spec.Template.Spec)
	}
}

// TestContestOfAnotherValue: a value that is declared later is not the contested one.
func TestContestOfAnotherValue(t *testing.T) {
	x := newContest(t, "Deployment")
	x.damp(scale)
	x.owner.Spec.Workload.Replicas = new(int32(0))
	if n := x.pass(); n != 1 {
		t.Fatalf("%d writes", n)
	}
	if got, _ := x.object().(*appsv1.Deployment); *got.Spec.Replicas != 0 {
		t.Errorf("%d replicas", *got.Spec.Replicas)
	}
	if all, _ := x.Contests.Of(shop); len(all) != 0 {
		t.Errorf("got %v", all)
	}
}

// TestNeverLeft: a revoked key must not come back, and what a child is found by must stay.
func TestNeverLeft(t *testing.T) {
	for name, c := range map[string]struct {
		kind   string
		change func(client.Object)
	}{
		"the configuration": {"Secret", func(o client.Object) { o.(*corev1.Secret).Data = map[string][]byte{"v1alpha1.yaml": []byte("old")} }},
		"the owner":         {"Deployment", func(o client.Object) { o.SetOwnerReferences(nil) }},
		"a selector":        {"Service", func(o client.Object) { o.(*corev1.Service).Spec.Selector[marks.LabelInstance] = "theirs" }},
		"the selector":      {"Service", func(o client.Object) { o.(*corev1.Service).Spec.Selector = nil }},
		"a label":           {"Service", func(o client.Object) { o.GetLabels()[marks.LabelConnector] = "theirs" }},
		"the cache's label": {"Service", func(o client.Object) { delete(o.GetLabels(), marks.LabelManagedBy) }},
		"a pod's label": {
			"Deployment", func(o client.Object) { o.(*appsv1.Deployment).Spec.Template.Labels[marks.LabelInstance] = "theirs" },
		},
		"the digest":     {"Service", func(o client.Object) { o.GetAnnotations()[marks.AnnotationApplied] = "theirs" }},
		"the whole name": {"Service", func(o client.Object) { delete(o.GetAnnotations(), marks.AnnotationConnector) }},
		"the pod's Secret": {"Deployment", func(o client.Object) {
			spec := &o.(*appsv1.Deployment).Spec.Template.Spec
			for i := range spec.Volumes {
				if spec.Volumes[i].Secret != nil {
					spec.Volumes[i].Secret.SecretName = "old"
				}
			}
		}},
		"the pod's file": {"Deployment", func(o client.Object) {
			o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Args = []string{"serve", "--config", "/old"}
		}},
		"the volume's safety": {
			"PersistentVolumeClaim", func(o client.Object) { delete(o.GetAnnotations(), "kustomize.toolkit.fluxcd.io/prune") },
		},
		"the template": {"Deployment", func(o client.Object) { o.GetAnnotations()[marks.AnnotationTemplate] = "{}" }},
	} {
		t.Run(name, func(t *testing.T) {
			x := newContest(t, c.kind)
			for i := range promptCorrections + 2 {
				if x.theirs(c.change); x.pass() != 1 {
					t.Fatalf("not put back the %d. time", i+1)
				}
			}
		})
	}
}

// TestContestWithTheDigest: who writes an old copy of the whole object, with the operator's annotations, is no change
// of the resource.
func TestContestWithTheDigest(t *testing.T) {
	x := newContest(t, "Deployment")
	theirs := func(o client.Object) {
		scale(o)
		o.GetAnnotations()[marks.AnnotationApplied] = "old"
	}
	for range promptCorrections {
		x.theirs(theirs)
		x.pass()
	}
	x.theirs(theirs)
	x.pass() // of the annotation
	if got, _ := x.object().(*appsv1.Deployment); *got.Spec.Replicas != 3 {
		t.Errorf("%d replicas", *got.Spec.Replicas)
	}
}

// TestDecidedOnAdmission: of a value that comes back as another one, the second attempt is the last until the next is
// due.
func TestDecidedOnAdmission(t *testing.T) {
	admit := func(o map[string]any) { object(o, "spec")["replicas"] = int64(2) }
	for name, start := range map[string]func(*testing.T) *contest{
		"a new child": func(t *testing.T) *contest {
			x := &contest{newRig(), t, connectortest.New(t), "Deployment"}
			x.admit = admit
			return x
		},
		"an older one": func(t *testing.T) *contest {
			x := newContest(t, "Deployment")
			x.admit = admit
			x.theirs(scale)
			return x
		},
	} {
		t.Run(name, func(t *testing.T) {
			x := start(t)
			if n := x.pass(); n != 1 {
				t.Fatalf("%d writes at first", n)
			}
			if all, next := x.Contests.Of(shop); len(all) != 0 || next != time.Second {
				t.Fatalf("after one attempt: %v, next %v", all, next)
			}
			if n := x.pass(); n != 1 {
				t.Fatalf("%d writes as the second attempt", n)
			}
			if n := x.Contests.Left(); n != 1 {
				t.Fatalf("%d fields left at once", n)
			}
			if n := x.pass() + x.pass(); n != 0 {
				t.Fatalf("%d writes of what is settled", n)
			}
			all, next := x.Contests.Of(shop)
			want := []Contest{{Child: `Deployment "shop-connector"`, Field: "spec.replicas", OnAdmission: true}}
			if diff := cmp.Diff(want, all); diff != "" || next != minPause {
				t.Errorf("next %v (-want +got):\n%s", next, diff)
			}
			x.owner.Spec.Workload.NodeSelector = map[string]v1alpha1.LabelValue{"zone": "a"}
			if n := x.pass() + x.pass(); n != 1 {
				t.Fatalf("%d writes of a changed resource", n)
			}
			for _, pause := range []time.Duration{minPause, 2 * minPause} {
				if n := x.after(pause-1).pass() + x.after(1).pass() + x.pass(); n != 1 {
					t.Fatalf("%d writes after %v", n, pause)
				}
			}
			x.admit = nil
			if n := x.after(4*minPause).pass() + x.pass(); n != 1 {
				t.Fatalf("%d writes once the webhook is gone", n)
			}
			x.after(proof).pass()
			if all, next := x.Contests.Of(shop); len(all) != 0 || next != 0 {
				t.Errorf("got %v, %v", all, next)
			}
		})
	}
}
