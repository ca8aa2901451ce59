package children

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
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
	if err := yaml.UnmarshalStrict(manifest(tb, Build([]Kind{Deployment}, in)[0]), d); err != nil {
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
		"cluster":   connectortest.New(tb, `workload: {userIDs: Cluster}`),
	}
}

const byTLS = `workload: {tls: {secretName: shop-tls}}`

// TestTLS: the Service, its endpoints and the pods call the port by what it speaks.
func TestTLS(t *testing.T) {
	in := input(connectortest.New(t, byTLS))
	service := &corev1.Service{}
	for _, child := range Build(Kinds, in) {
		if child.Kind.Name == "Service" {
			if err := yaml.UnmarshalStrict(manifest(t, child), service); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := []corev1.ServicePort{{
		Name: "https", AppProtocol: new("https"), Protocol: corev1.ProtocolTCP, Port: 443, TargetPort: intstr.FromString("https"),
	}}
	if diff := cmp.Diff(want, service.Spec.Ports); diff != "" {
		t.Errorf("Service (-want +got):\n%s", diff)
	}
	c := deploymentOf(t, in).Spec.Template.Spec.Containers[0]
	webhook, probes := c.Ports[0], c.Ports[1]
	if webhook.Name != "https" || webhook.ContainerPort != 8080 || probes.Name != "metrics" || c.ReadinessProbe.HTTPGet.Scheme != "" {
		t.Errorf("%+v", c.Ports)
	}
}

// TestUserIDs: a cluster that gives ids finds none, and the configuration can be read by whatever id it gives.
func TestUserIDs(t *testing.T) {
	mode := func(s corev1.PodSpec) int32 { return *s.Volumes[0].Secret.DefaultMode }
	fixed := deploymentOf(t, input(connectortest.New(t))).Spec.Template.Spec
	if c := fixed.SecurityContext; *c.RunAsUser != 65532 || *c.RunAsGroup != 65532 || *c.FSGroup != 65532 || mode(fixed) != 0o440 {
		t.Errorf("Fixed: %+v, mode %o", c, mode(fixed))
	}
	free := deploymentOf(t, input(connectortest.New(t, `workload: {userIDs: Cluster}`))).Spec.Template.Spec
	if c := free.SecurityContext; c.RunAsUser != nil || c.RunAsGroup != nil || c.FSGroup != nil || !*c.RunAsNonRoot || mode(free) != 0o444 {
		t.Errorf("Cluster: %+v, mode %o", c, mode(free))
	}
}

// TestEnv: variables keep their order, because a value may name one above it.
func TestEnv(t *testing.T) {
	got := deploymentOf(t, input(connectortest.New(t, `workload: {env: [
{name: HOST, value: proxy}, {name: A_URL, value: "http://$(HOST)"}, {name: HTTPS_PROXY, secretKeyRef: {name: proxy, key: url}}]}`)))
	want := []corev1.EnvVar{
		{Name: "HOST", Value: "proxy"}, {Name: "A_URL", Value: "http://$(HOST)"},
		{Name: "HTTPS_PROXY", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "proxy"}, Key: "url",
		}}},
	}
	if diff := cmp.Diff(want, got.Spec.Template.Spec.Containers[0].Env); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestServiceAccountToken: a token is mounted on request only, and then the generated ServiceAccount forbids it no more.
func TestServiceAccountToken(t *testing.T) {
	for patch, want := range map[string]bool{``: false, `workload: {serviceAccountToken: Mount}`: true} {
		in := input(connectortest.New(t, patch))
		if got := *deploymentOf(t, in).Spec.Template.Spec.AutomountServiceAccountToken; got != want {
			t.Errorf("%q: the pods get a token: %v", patch, got)
		}
		for _, child := range Build(Kinds, in) {
			if forbids := strings.Contains(string(manifest(t, child)), "automountServiceAccountToken: false"); child.Kind.Name ==
				"ServiceAccount" && forbids == want {
				t.Errorf("%q: the ServiceAccount forbids it: %v", patch, forbids)
			}
		}
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
