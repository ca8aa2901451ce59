package children

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/test/kit/golden"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// input is what the operator builds the children of a resource from.
func input(c *v1alpha1.ChannelConnector) Input {
	return Input{
		Connector: c,
		Config: &render.Config{
			Files:  map[string][]byte{render.FileName: []byte("kind: ConnectorConfig\n")},
			Digest: "0123456789abcdef", StartDigest: "fedcba9876543210",
		},
		ConfigWrittenAt: time.Date(2026, 11, 25, 8, 30, 0, 123e6, time.FixedZone("ICT", 7*3600)),
		StartDigest:     "fedcba9876543210",
		Image:           "channel-connector:1.0.0",
	}
}

// manifest is a child as it is sent, in YAML.
func manifest(tb testing.TB, child Child) []byte {
	tb.Helper()
	content, err := child.JSON()
	if err != nil {
		tb.Fatal(err)
	}
	document, err := yaml.JSONToYAML(content)
	if err != nil {
		tb.Fatal(err)
	}
	return document
}

// names are those of children in messages.
func names(all []Child) []string {
	var names []string
	for _, child := range all {
		names = append(names, child.String())
	}
	return names
}

// TestGolden shows every child of three resources in full.
func TestGolden(t *testing.T) {
	full := input(connectortest.Full(t))
	full.APIKeyRegenerated, full.Upgrading = "2026-11-25", true
	for name, in := range map[string]Input{
		"minimal":   input(connectortest.New(t)),
		"ephemeral": input(connectortest.New(t, connectortest.EphemeralStorage)),
		"full":      full,
	} {
		var files []string
		for _, child := range Build(Kinds, in) {
			file := filepath.Join("testdata", name, strings.ToLower(child.Kind.Name)+".yaml")
			golden.Check(t, file, manifest(t, child))
			files = append(files, file)
		}
		there, err := filepath.Glob(filepath.Join("testdata", name, "*.yaml"))
		if err != nil || len(there) != len(files) {
			t.Errorf("testdata/%s holds %v, want %v, %v", name, there, files, err)
		}
	}
}

func isDeployment(k Kind) bool { return k.Name == "Deployment" }

// onRequest reports whether only a resource that asks for the kind gets one.
func onRequest(k Kind) bool { return k.Outer || k.Name == "NetworkPolicy" }

// TestBuild: what a pod needs is made before the pod, and what nobody needs is not made at all.
func TestBuild(t *testing.T) {
	for _, kind := range Kinds[slices.IndexFunc(Kinds, isDeployment)+1:] {
		if !kind.Outer {
			t.Errorf("%s comes after the Deployment", kind.Name)
		}
	}
	withoutConfig := input(connectortest.New(t))
	withoutConfig.Config = nil
	// What the sink's URL says is unknown: the NetworkPolicy stays as it is.
	kept, keptWithout := []string{"NetworkPolicy"}, []string{`Secret "shop-connector"`, `NetworkPolicy "shop-connector"`}
	keepsPolicy := input(connectortest.New(t, `workload: {networkPolicy: {}}`))
	keepsPolicy.Config = nil
	for name, c := range map[string]struct {
		in                      Input
		without, with, unwanted []string
	}{
		"minimal":                 {in: input(connectortest.New(t))},
		"with a HTTPRoute":        {in: input(connectortest.New(t, httpRouteExposure)), with: []string{"HTTPRoute"}},
		"with an Ingress":         {in: input(connectortest.New(t, ingressExposure)), with: []string{"Ingress"}},
		"with a NetworkPolicy":    {in: input(connectortest.New(t, `workload: {networkPolicy: {}}`)), with: []string{"NetworkPolicy"}},
		"without a configuration": {in: withoutConfig, with: kept, without: keptWithout},
		"with a NetworkPolicy that leads to the sink in use": {in: keepsPolicy, with: kept, without: keptWithout},
		"Ephemeral": {
			in:      input(connectortest.New(t, connectortest.EphemeralStorage)),
			without: []string{`PersistentVolumeClaim "shop-connector"`},
		},
		"with a ServiceAccount of the user's": {
			in:       input(connectortest.New(t, `workload: {serviceAccountName: mine}`)),
			without:  []string{`ServiceAccount "shop-connector"`},
			unwanted: []string{`ServiceAccount "shop-connector"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var want []string
			unwanted := slices.Clone(c.unwanted)
			for _, kind := range Kinds {
				switch name := kind.Name + ` "shop-connector"`; {
				case onRequest(kind) && !slices.Contains(c.with, kind.Name):
					unwanted = append(unwanted, name)
				case !slices.Contains(c.without, name):
					want = append(want, name)
				}
			}
			if diff := cmp.Diff(want, names(Build(Kinds, c.in))); diff != "" {
				t.Errorf("wanted (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(unwanted, names(Unwanted(Kinds, c.in))); diff != "" {
				t.Errorf("unwanted (-want +got):\n%s", diff)
			}
		})
	}
}

// TestBuildIsPure: the same input gives the same children, and is left alone.
func TestBuildIsPure(t *testing.T) {
	in := input(connectortest.Full(t))
	before := in.Connector.DeepCopy()
	first, second := Build(Kinds, in), Build(Kinds, in)
	for i := range first {
		if diff := cmp.Diff(string(manifest(t, first[i])), string(manifest(t, second[i]))); diff != "" {
			t.Errorf("%s differs the second time (-first +second):\n%s", first[i], diff)
		}
	}
	if diff := cmp.Diff(before, in.Connector); diff != "" {
		t.Errorf("the resource was changed (-before +after):\n%s", diff)
	}
}

func TestChild(t *testing.T) {
	c := connectortest.New(t)
	unwanted := Unwanted(Kinds, input(connectortest.New(t, `workload: {serviceAccountName: mine}`)))
	for _, child := range append(Build(Kinds, input(c)), unwanted...) {
		if got, want := child.Key("chat"), (client.ObjectKey{Namespace: "chat", Name: "shop-connector"}); got != want {
			t.Errorf("%s: the key is %v, want %v", child, got, want)
		}
		if child.Desired == nil { // it is deleted
			continue
		}
		object := child.Kind.New()
		if err := yaml.UnmarshalStrict(manifest(t, child), object); err != nil {
			t.Errorf("%s is no %T: %v", child, object, err)
		}
		if object.GetAnnotations()[marks.AnnotationConnector] != "shop" {
			t.Errorf("%s has the annotations %v", child, object.GetAnnotations())
		}
	}
}

// TestWithoutACluster: a resource that no API server has seen has no owner's uid to give, and its children say nothing
// to an operator.
func TestWithoutACluster(t *testing.T) {
	c := connectortest.New(t)
	c.UID, c.Generation = "", 0
	in := input(c)
	in.ConfigWrittenAt = time.Time{}
	for _, child := range Build(Kinds, in) {
		document := string(manifest(t, child))
		for _, unwanted := range []string{
			"ownerReferences", marks.AnnotationTemplate, marks.AnnotationGeneration, marks.AnnotationConfigWrittenAt,
		} {
			if strings.Contains(document, unwanted) {
				t.Errorf("%s holds %s:\n%s", child, unwanted, document)
			}
		}
	}
}

func TestAPIKeySecret(t *testing.T) {
	c := connectortest.New(t)
	first, err := APIKeySecret(c)
	if err != nil {
		t.Fatal(err)
	}
	second, err := APIKeySecret(c)
	if err != nil {
		t.Fatal(err)
	}
	key := string(first.Data["xp-api-key"])
	if len(key) != 64 || strings.Trim(key, "0123456789abcdef") != "" {
		t.Errorf("the key is %q, want 64 hex digits", key)
	}
	if key == string(second.Data["xp-api-key"]) {
		t.Error("two keys are the same")
	}
	if len(first.OwnerReferences) > 0 || first.Name != "shop-api-key" || first.Namespace != "chat" {
		t.Errorf("got %v", first.ObjectMeta)
	}
	if diff := cmp.Diff(keptLabels("shop"), first.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	checkKept(t, first)
}

// checkKept checks what keeps Argo CD and Flux from deleting an object.
func checkKept(t *testing.T, object metav1.Object) {
	t.Helper()
	if by, ok := object.GetLabels()[marks.LabelInstance]; ok {
		t.Errorf("by its label Argo CD takes it for the application %q", by)
	}
	for name, want := range map[string]string{
		"argocd.argoproj.io/sync-options": "Prune=false,Delete=false", "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
		"kustomize.toolkit.fluxcd.io/prune": "disabled",
	} {
		if got := object.GetAnnotations()[name]; got != want {
			t.Errorf("annotation %s is %q, want %q", name, got, want)
		}
	}
}

// TestNothingThatOutlivesTheResourceIsPrunable: every other child has an owner, which no tool of GitOps prunes.
func TestNothingThatOutlivesTheResourceIsPrunable(t *testing.T) {
	c := connectortest.New(t)
	c.UID = "uid"
	kept := 0
	for _, child := range Build(Kinds, Input{Connector: c, Image: "i", Config: &render.Config{}}) {
		encoded, err := child.JSON()
		if err != nil {
			t.Fatal(err)
		}
		object := child.Kind.New()
		if err := json.Unmarshal(encoded, object); err != nil {
			t.Fatal(err)
		}
		if len(object.GetOwnerReferences()) == 0 {
			kept++
			checkKept(t, object)
		}
	}
	if kept != 1 {
		t.Errorf("%d children without an owner, want the volume's claim", kept)
	}
}

func TestURL(t *testing.T) {
	if got := URL(connectortest.New(t)); got != "http://shop-connector.chat.svc" {
		t.Error(got)
	}
	if got := URL(connectortest.New(t, byTLS)); got != "https://shop-connector.chat.svc" {
		t.Error(got)
	}
}
