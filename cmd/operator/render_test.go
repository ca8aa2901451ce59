package main

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

const shop = `apiVersion: xbot.a4b.vn/v1alpha1
kind: ChannelConnector
metadata: {name: shop, namespace: chat}
spec:
  type: ZaloOA
  zaloOA:
    appID: "2553928453557884079"
    signature:
      secretKeyRefs: [{name: shop-zalo, key: oa-secret-key}]
  sink:
    http: {url: "http://bot.chat.svc/events"}
`

const shopSecret = `apiVersion: v1
kind: Secret
metadata: {name: shop-zalo, namespace: chat}
stringData: {oa-secret-key: HiddenValue-0000000}
`

const shopAPIKey = `apiVersion: v1
kind: Secret
metadata: {name: shop-api-key, namespace: chat}
stringData: {xp-api-key: HiddenValue-11111111111111111111}
`

// call runs the operator with the arguments and standard input.
func call(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errOut bytes.Buffer
	root := newRoot()
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&errOut)
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	return out.String(), errOut.String(), err
}

// kinds returns "Kind name" of every document.
func kinds(t *testing.T, documents string) []string {
	t.Helper()
	var all []string
	for _, document := range strings.Split(documents, "---\n")[1:] {
		var object struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatal(err)
		}
		if object.Metadata.Namespace != "chat" {
			t.Errorf("%s %s is in namespace %q", object.Kind, object.Metadata.Name, object.Metadata.Namespace)
		}
		all = append(all, object.Kind+" "+object.Metadata.Name)
	}
	return all
}

func TestRenderPrintsEveryChild(t *testing.T) {
	every := shop + "  workload: {networkPolicy: {}}\n"
	stdout, stderr, err := call(t, every+"---\n"+shopSecret, "render", "-f", "-", "--connector-image", "connector:1", "--generate-api-key")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Secret shop-api-key"}
	declared := connectortest.New(t, `workload: {networkPolicy: {}}`)
	for _, child := range children.Build(children.Kinds, children.Input{Connector: declared, Config: &render.Config{}}) {
		want = append(want, child.Kind.Name+" shop-connector")
	}
	if diff := cmp.Diff(want, kinds(t, stdout)); diff != "" {
		t.Errorf("children (-want +got):\n%s", diff)
	}
	if stderr != "" {
		t.Errorf("warned: %s", stderr)
	}
	for _, unwanted := range []string{"ownerReferences", "xbot.a4b.vn/generation", "xbot.a4b.vn/spec", "0001-01-01"} {
		if strings.Contains(stdout, unwanted) {
			t.Errorf("prints %q, which only an operator in a cluster uses", unwanted)
		}
	}
}

// TestRenderIsStable is what a diff needs: with the generated key at hand, the same input gives the same output, from
// several files and without a namespace.
func TestRenderIsStable(t *testing.T) {
	first, _, err := call(t, shop+"---\n"+shopSecret, "render", "-f", "-", "--connector-image", "connector:1", "--generate-api-key")
	if err != nil {
		t.Fatal(err)
	}
	secret, rest, _ := strings.Cut(strings.TrimPrefix(first, "---\n"), "---\n")
	var key corev1.Secret
	if err := yaml.Unmarshal([]byte(secret), &key); err != nil || len(key.Data["xp-api-key"]) != 64 {
		t.Fatalf("no API key of 64 digits in %v (%v)", key.Data, err)
	}
	folder := t.TempDir()
	for name, content := range map[string]string{
		"shop.yaml":    strings.Replace(shop, ", namespace: chat", "", 1),
		"secrets.yaml": "# what the connector needs\n---\n" + secret + "---\n" + shopSecret,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	second, _, err := call(t, "", "render", "-n", "chat", "--connector-image", "connector:1",
		"-f", filepath.Join(folder, "shop.yaml"), "-f", filepath.Join(folder, "secrets.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("---\n"+rest, second); diff != "" {
		t.Errorf("the second time (-first +second):\n%s", diff)
	}
}

// TestRenderKeepsTheAPIKeyInTheFiles, also when it may make one.
func TestRenderKeepsTheAPIKeyInTheFiles(t *testing.T) {
	for _, more := range [][]string{nil, {"--generate-api-key"}} {
		stdout, _, err := call(t, shop+"---\n"+shopSecret+"---\n"+shopAPIKey,
			append([]string{"render", "-f", "-", "--connector-image=c:1"}, more...)...)
		if err != nil {
			t.Fatal(err)
		}
		if got := kinds(t, stdout); slices.Contains(got, "Secret shop-api-key") {
			t.Errorf("%v: made another key: %v", more, got)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"no image":    {stdin: shop, want: "--connector-image: required: name the connector's image, or set XBOT_CONNECTOR_IMAGE"},
		"no resource": {stdin: shopSecret, args: []string{"--connector-image=c:1"}, want: "the files hold no ChannelConnector"},
		"a missing Secret": {
			stdin: shop + "  webhook: {apiKeys: [{name: a, secretKeyRef: {name: shop-xbot, key: key}}]}\n---\n" + shopSecret,
			args:  []string{"--connector-image=c:1"},
			want: `ChannelConnector "shop": Secret "shop-xbot" does not exist (spec.webhook.apiKeys[0].secretKeyRef): ` +
				`create it with the key "key", or correct the reference`,
		},
		"no API key": {
			stdin: shop + "---\n" + shopSecret, args: []string{"--connector-image=c:1"},
			want: `ChannelConnector "shop": spec.webhook.apiKeys names no key, and the files hold no Secret "shop-api-key" with a generated one. ` +
				`Add that Secret, for example from "kubectl -n chat get secret shop-api-key -o yaml",` +
				` or make it once with --generate-api-key and keep it: each new key has to be pasted into Zalo's console`,
		},
		"another kind": {
			stdin: "apiVersion: v1\nkind: Service\n", args: []string{"--connector-image=c:1"},
			want: `-, document 1: kind "Service": want ChannelConnectors, Secrets and ConfigMaps only`,
		},
		"a Secret's typo": {
			stdin: shop + "---\n" + strings.Replace(shopSecret, "stringData", "stringDatas", 1), args: []string{"--connector-image=c:1"},
			want: "-, document 2: not a Secret: an unknown field, a wrong type, or data that is not base64",
		},
		"a resource's typo": {
			stdin: strings.Replace(shop, "appID", "appId", 1), args: []string{"--connector-image=c:1"},
			want: `-, document 1: strict decoding error: unknown field "spec.zaloOA.appId"`,
		},
		"a rule of the schema": {
			stdin: strings.Replace(shop, "http://bot", "bot", 1), args: []string{"--connector-image=c:1"},
			want: "sink.http.url: write an absolute http or https URL, for example http://bot.chat.svc/events",
		},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, _, err := call(t, c.stdin, append([]string{"render", "-f", "-"}, c.args...)...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if stdout != "" {
				t.Errorf("printed a part:\n%s", stdout)
			}
			if err != nil && strings.Contains(err.Error(), "HiddenValue") {
				t.Error("the error holds a secret")
			}
		})
	}
}

// TestRenderWarns of findings that block nothing: Zalo's console shows the OA secret key only after the connector has
// answered a call.
func TestRenderWarns(t *testing.T) {
	for secret, want := range map[string]string{
		shopSecret: "",
		strings.Replace(shopSecret, "HiddenValue-0000000", "HiddenValue", 1): `Warning: Secret "shop-zalo",` +
			` key "oa-secret-key" (spec.zaloOA.signature.secretKeyRefs[0]) is shorter than 16 characters: make sure that it is complete` + "\n",
		strings.Replace(shopSecret, "shop-zalo", "other", 1): `Warning: Secret "shop-zalo" does not exist ` +
			`(spec.zaloOA.signature.secretKeyRefs[0]): create it with the key "oa-secret-key", or correct the reference` + "\n",
	} {
		_, stderr, err := call(t, shop+"---\n"+secret+"---\n"+shopAPIKey, "render", "-f", "-", "--connector-image", "connector:1")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, stderr); diff != "" {
			t.Errorf("warnings (-want +got):\n%s", diff)
		}
	}
}

// TestRenderRegistersNothing, and says so; the bot token is in no object.
func TestRenderRegistersNothing(t *testing.T) {
	const bot = `apiVersion: xbot.a4b.vn/v1alpha1
kind: ChannelConnector
metadata: {name: bot, namespace: chat}
spec:
  type: ZaloBot
  zaloBot:
    register: true
    botTokenSecretKeyRef: {name: bot, key: token}
    secretToken: {secretKeyRefs: [{name: bot, key: secret}]}
  exposure: {ingress: {host: hooks.example.com}}
  sink: {http: {url: "http://bot.chat.svc/events"}}
---
apiVersion: v1
kind: Secret
metadata: {name: bot, namespace: chat}
stringData: {token: "12:HiddenBotToken", secret: HiddenSecretToken000000}
`
	stdout, stderr, err := call(t, bot, "render", "-f", "-", "--connector-image=c:1", "--generate-api-key")
	if err != nil || !strings.Contains(stderr, `Warning: ChannelConnector "bot": nothing registers its webhook without the operator`) {
		t.Errorf("got %v: %s", err, stderr)
	}
	for _, token := range []string{"12:HiddenBotToken", base64.StdEncoding.EncodeToString([]byte("12:HiddenBotToken"))} {
		if stdout == "" || strings.Contains(stdout, token) {
			t.Error("the bot token is in the output")
		}
	}
}
