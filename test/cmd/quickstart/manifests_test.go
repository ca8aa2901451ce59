package quickstart

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// values are those of all manifests.
var values = map[string]string{
	"Image": "channel-connector:v1", "Name": "shop", "APIKey": "1e10", "VerifyToken": "0x10", "Key": "10",
}

// resource is the ChannelConnector of a platform.
func resource(t *testing.T, platform string) *v1alpha1.ChannelConnector {
	t.Helper()
	found := documents(t, platform, `"$folder"/channel.yaml`)
	if len(found) != 1 {
		t.Fatalf("%d documents, want the ChannelConnector alone", len(found))
	}
	c, err := schema.Decode(t.Context(), found[0])
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestChannel: the API server takes each ChannelConnector, and the script knows where it is and what it awaits.
func TestChannel(t *testing.T) {
	for _, platform := range platforms(t) {
		t.Run(platform, func(t *testing.T) {
			c := resource(t, platform)
			words := types.Channel(string(c.Spec.Type)).Words
			var awaited string
			for _, r := range render.References(c, v1alpha1.SecretKeyRef{}) {
				if r.Use == render.SigningKey {
					awaited = fmt.Sprintf("%s %s/%s", words.SecretName, r.Name, r.Key)
				}
			}
			want := fmt.Sprintf("channelconnector/%s in quickstart at %s awaits %s\n", c.Name, render.Path(c), awaited)
			got, failure, ok := script(t, on(platform)+
				`echo "$channel in $namespace at $path awaits ${key_name:+$key_name $key_secret/$key_entry}"`)
			if !ok || got != want {
				t.Errorf("it is\n%swant\n%s%s", got, want, failure)
			}
		})
	}
}

// TestNoEchoes: the bot gets no more events than that of the sample with the same type.
func TestNoEchoes(t *testing.T) {
	samples := filepath.Join("..", "..", "..", "config", "samples")
	for platform, sample := range map[string]string{
		"zalo": "minimal.yaml", "azure": "azurebot.yaml", "messenger": "messenger.yaml", "zalobot": "zalobot.yaml",
	} {
		file, err := os.Open(filepath.Join(samples, sample))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		first, err := utilyaml.NewYAMLReader(bufio.NewReader(file)).Read()
		if err != nil {
			t.Fatal(err)
		}
		want, err := schema.Decode(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Spec.Webhook.Events, resource(t, platform).Spec.Webhook.Events); diff != "" {
			t.Errorf("%s (-%s +channel.yaml):\n%s", platform, sample, diff)
		}
	}
}

// TestEveryType: each type of channel is shown once.
func TestEveryType(t *testing.T) {
	shown := map[v1alpha1.ChannelType]string{}
	for _, platform := range platforms(t) {
		c := resource(t, platform)
		if shown[c.Spec.Type] != "" {
			t.Errorf("%s and %s are both of type %s", shown[c.Spec.Type], platform, c.Spec.Type)
		}
		shown[c.Spec.Type] = platform
	}
	for _, of := range types.Channels {
		if shown[v1alpha1.ChannelType(of.Name)] == "" {
			t.Errorf("nothing shows type %s: give it a folder of test/cmd/quickstart/channels", of.Name)
		}
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
	got := map[string]string{}
	for _, object := range objects(t) {
		if secret, ok := object.(*corev1.Secret); ok {
			for key, value := range secret.StringData {
				got[secret.Name+"/"+key] = value
			}
		}
	}
	want := map[string]string{
		"shop-xbot/xp-api-key":               values["APIKey"],
		"shop-zalo/oa-secret-key":            values["Key"],
		"shop-messenger/app-secret":          values["Key"],
		"shop-messenger-verify/verify-token": values["VerifyToken"],
		"shop-zalobot/secret-token":          values["Key"],
	}
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
	shared, err := filepath.Glob("manifests/*.yaml")
	own, err2 := filepath.Glob("channels/*/*.yaml")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	var all []runtime.Object
	for _, name := range append(shared, own...) {
		if filepath.Base(name) == "channel.yaml" {
			continue
		}
		for _, document := range documents(t, "zalo", "test/cmd/quickstart/"+name) {
			object, _, err := strict.Decode(document, nil, nil)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			all = append(all, object)
		}
	}
	return all
}

// documents returns the documents of a manifest.
func documents(t *testing.T, platform, manifest string) [][]byte {
	t.Helper()
	text := on(platform) + "render " + manifest
	for value := range values {
		text += " " + value + "=" + values[value]
	}
	out, failure, ok := script(t, text+"; printf '%s\\n' \"$rendered\"")
	if !ok {
		t.Fatal(failure)
	}
	var all [][]byte
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(out)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, document)
	}
}
