package argocd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/config/argocd"
	"xbot.a4b.vn/channel-connector/controllers/status/statustest"
	"xbot.a4b.vn/channel-connector/test/kit/health"
)

// folder has the layout of Argo CD's resource_customizations.
const folder = "resource_customizations/xbot.a4b.vn/ChannelConnector"

// healthTests is Argo CD's own format of such tests.
type healthTests struct {
	Tests []struct {
		InputPath    string        `json:"inputPath"`
		HealthStatus health.Health `json:"healthStatus"`
	} `json:"tests"`
}

// TestHealth runs Argo CD's tests of the check, with statuses that the operator writes.
func TestHealth(t *testing.T) {
	var suite healthTests
	read(t, filepath.Join(folder, "health_test.yaml"), &suite)
	unused := map[string]bool{}
	inputs, err := filepath.Glob(filepath.Join(folder, "testdata", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, input := range inputs {
		unused[input] = true
	}
	for _, test := range suite.Tests {
		input := filepath.Join(folder, test.InputPath)
		delete(unused, input)
		t.Run(test.InputPath, func(t *testing.T) {
			object := &unstructured.Unstructured{}
			read(t, input, &object.Object)
			got, err := health.ArgoCD(object)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.HealthStatus, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			operatorWrites(t, object)
		})
	}
	if len(unused) > 0 {
		t.Errorf("no test has %v", unused)
	}
}

// operatorWrites checks that the operator may write the status of an object, if it has looked at the object.
func operatorWrites(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	connector := &v1alpha1.ChannelConnector{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, connector, true); err != nil {
		t.Fatal(err)
	}
	if len(connector.Status.Conditions) == 0 {
		return
	}
	for _, wrong := range statustest.Check(connector) {
		t.Error(wrong)
	}
}

// TestDocumentedHealth: what people paste into Argo CD's ConfigMap is what is tested.
func TestDocumentedHealth(t *testing.T) {
	document, err := os.ReadFile("../../docs/gitops.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(document), "```yaml\napiVersion: v1\nkind: ConfigMap\n")
	snippet, _, _ := strings.Cut(rest, "```")
	var configMap struct {
		Data map[string]string `json:"data"`
	}
	if err := yaml.Unmarshal([]byte(snippet), &configMap); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"resource.customizations.health.xbot.a4b.vn_ChannelConnector": argocd.Health}
	if diff := cmp.Diff(want, configMap.Data); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(content, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
