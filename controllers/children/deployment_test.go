package children

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// deploymentOf is the Deployment as a client of the API server reads it.
func deploymentOf(tb testing.TB, in Input) *appsv1.Deployment {
	tb.Helper()
	d := &appsv1.Deployment{}
	if err := yaml.UnmarshalStrict(manifest(tb, Build([]Kind{deployment}, in)[0]), d); err != nil {
		tb.Fatal(err)
	}
	return d
}

// TestPodSecurity judges the pods as a namespace that enforces "restricted" does, with Kubernetes' own checks.
func TestPodSecurity(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	for name, c := range resources(t) {
		template := deploymentOf(t, input(c)).Spec.Template
		for _, result := range evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec) {
			if !result.Allowed {
				t.Errorf("%s: %s: %s", name, result.ForbiddenReason, result.ForbiddenDetail)
			}
		}
		if token := template.Spec.AutomountServiceAccountToken; token == nil || *token {
			t.Errorf("%s: the pods get a token of the API server", name)
		}
		if root := template.Spec.Containers[0].SecurityContext.ReadOnlyRootFilesystem; root == nil || !*root {
			t.Errorf("%s: the root file system can be written", name)
		}
	}
}

// resources are the smallest one, one with another storage, and one with everything.
func resources(tb testing.TB) map[string]*v1alpha1.ChannelConnector {
	return map[string]*v1alpha1.ChannelConnector{
		"minimal":   connectortest.New(tb),
		"ephemeral": connectortest.New(tb, connectortest.EphemeralStorage),
		"full":      connectortest.Full(tb),
	}
}

// TestSelector: the Deployment and the Service find the pods.
func TestSelector(t *testing.T) {
	for name, c := range resources(t) {
		d := deploymentOf(t, input(c))
		for label, value := range d.Spec.Selector.MatchLabels {
			if d.Spec.Template.Labels[label] != value {
				t.Errorf("%s: the pods have no label %s=%s", name, label, value)
			}
		}
		if diff := cmp.Diff(d.Spec.Selector.MatchLabels, service.Want(input(c)).(*corev1ac.ServiceApplyConfiguration).Spec.Selector); diff != "" {
			t.Errorf("%s: the Service selects otherwise (-Deployment +Service):\n%s", name, diff)
		}
	}
}

// TestOperatorsOwnWins: what users add to the pods never takes the place of what the operator needs there.
func TestOperatorsOwnWins(t *testing.T) {
	template := deploymentOf(t, input(connectortest.Full(t))).Spec.Template
	for name, want := range map[string]string{marks.LabelManagedBy: marks.ManagedBy, "team": "chat"} {
		if got := template.Labels[name]; got != want {
			t.Errorf("label %s is %q, want %q", name, got, want)
		}
	}
	for name, want := range map[string]string{marks.AnnotationStartDigest: "fedcba9876543210", "prometheus.io/scrape": "true"} {
		if got := template.Annotations[name]; got != want {
			t.Errorf("annotation %s is %q, want %q", name, got, want)
		}
	}
}

// TestTemplate: a template is read back from its annotation as it was, so that a Deployment that waits for its turn
// keeps it to the byte.
func TestTemplate(t *testing.T) {
	for name, c := range resources(t) {
		in := input(c)
		encoded := deploymentOf(t, in).Annotations[marks.AnnotationTemplate]
		if encoded != EncodeTemplate(PodTemplate(in)) {
			t.Errorf("%s: the annotation is not the template", name)
		}
		kept, err := DecodeTemplate(encoded)
		if err != nil {
			t.Fatal(err)
		}
		later := in
		later.Image, later.Keep = "channel-connector:2.0.0", kept
		if diff := cmp.Diff(deploymentOf(t, in), deploymentOf(t, later)); diff != "" {
			t.Errorf("%s: the kept template differs (-applied +kept):\n%s", name, diff)
		}
	}
	if _, err := DecodeTemplate("{"); err == nil {
		t.Error("half a template is read")
	}
}

// TestReplicas: zero is not the default.
func TestReplicas(t *testing.T) {
	for patch, want := range map[string]int32{``: 1, `workload: {replicas: 1}`: 1, `workload: {replicas: 0}`: 0} {
		if got := deploymentOf(t, input(connectortest.New(t, patch))).Spec.Replicas; got == nil || *got != want {
			t.Errorf("%q: got %v, want %d", patch, got, want)
		}
	}
	if got := Replicas(&v1alpha1.ChannelConnector{}); got != 1 {
		t.Errorf("without its default: got %d", got)
	}
}

// TestGracePeriod: kubelet waits as long as the connector is told that it has.
func TestGracePeriod(t *testing.T) {
	for patch, want := range map[string]int64{``: 30, `workload: {terminationGracePeriodSeconds: 3600}`: 3600} {
		got := deploymentOf(t, input(connectortest.New(t, patch))).Spec.Template.Spec.TerminationGracePeriodSeconds
		if got == nil || *got != want {
			t.Errorf("%q: got %v, want %d", patch, got, want)
		}
	}
}

// TestDoesNotFit: that a type of Kubernetes does not fit its apply configuration is a mistake of the program, which
// must not become a pod without its affinity.
func TestDoesNotFit(t *testing.T) {
	for name, call := range map[string]func(){
		"of another shape": func() { as[corev1.Toleration]([]string{"a"}) },
		"not encodable":    func() { as[corev1.Toleration](func() {}) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("nothing was said")
				}
			}()
			call()
		})
	}
}
