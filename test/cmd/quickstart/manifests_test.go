package quickstart

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"xbot.a4b.vn/channel-connector/api/schema"
	"xbot.a4b.vn/channel-connector/test/kit/example"
)

// values are those of all manifests.
var values = map[string]string{
	"Image": "channel-connector:v1", "AppID": example.AppID,
	"APIKey": "1e10", "OASecretKey": "10",
}

// TestChannel: the API server takes the ChannelConnector.
func TestChannel(t *testing.T) {
	documents := render(t, "channel.yaml")
	if len(documents) != 1 {
		t.Fatalf("%d documents, want the ChannelConnector alone", len(documents))
	}
	c, err := schema.Decode(t.Context(), documents[0])
	if err != nil {
		t.Fatal(err)
	}
	where, failure, ok := script(t, `echo "$channel in $namespace"`)
	if got := "channelconnector/" + c.Name + " in " + c.Namespace + "\n"; !ok || got != where {
		t.Errorf("it is %s, want %s%s", got, where, failure)
	}
}

// TestPods: every object has known fields only, and a namespace that enforces "restricted" takes the pods, by
// Kubernetes' own checks.
func TestPods(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	judged := 0
	for _, object := range objects(t) {
		template := podTemplate(object)
		if template == nil {
			continue
		}
		judged++
		for _, result := range evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec) {
			if !result.Allowed {
				t.Errorf("%T: %s: %s", object, result.ForbiddenReason, result.ForbiddenDetail)
			}
		}
	}
	if judged != 1 {
		t.Errorf("%d pods, want the sink's alone", judged)
	}
}

// TestSecrets: a key that looks like a number stays as it is.
func TestSecrets(t *testing.T) {
	var got []string
	for _, object := range objects(t) {
		if secret, ok := object.(*corev1.Secret); ok {
			got = append(got, secret.Name, secret.StringData["oa-secret-key"]+secret.StringData["xp-api-key"])
		}
	}
	want := []string{"shop-xbot", values["APIKey"], "shop-zalo", values["OASecretKey"]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func podTemplate(object runtime.Object) *corev1.PodTemplateSpec {
	if deployment, ok := object.(*appsv1.Deployment); ok {
		return &deployment.Spec.Template
	}
	return nil
}

// objects reads all of Kubernetes' own, strictly.
func objects(t *testing.T) []runtime.Object {
	t.Helper()
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	var all []runtime.Object
	for _, name := range []string{"namespace.yaml", "sink.yaml", "api-key.yaml", "oa-secret-key.yaml"} {
		for _, document := range render(t, name) {
			object, _, err := strict.Decode(document, nil, nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all = append(all, object)
		}
	}
	return all
}

// render returns the documents of a manifest.
func render(t *testing.T, name string) [][]byte {
	t.Helper()
	text := "render \"$manifests\"/" + name
	for value := range values {
		text += " " + value + "=" + values[value]
	}
	out, failure, ok := script(t, text+"; printf '%s\\n' \"$rendered\"")
	if !ok {
		t.Fatal(failure)
	}
	var documents [][]byte
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(out)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return documents
		}
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, document)
	}
}
