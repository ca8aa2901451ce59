package children

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/controllers/connectortest"
)

// policyOf is the NetworkPolicy that a resource with these patches wants.
func policyOf(t *testing.T, operator string, patches ...string) *networkingv1.NetworkPolicy {
	t.Helper()
	in := input(connectortest.New(t, patches...))
	in.OperatorNamespace = operator
	for _, child := range Build(Kinds, in) {
		if child.Kind.Name != "NetworkPolicy" {
			continue
		}
		policy := &networkingv1.NetworkPolicy{}
		if err := yaml.UnmarshalStrict(manifest(t, child), policy); err != nil {
			t.Fatal(err)
		}
		return policy
	}
	t.Fatal("no NetworkPolicy is wanted")
	return nil
}

func inYAML(t *testing.T, value any) string {
	t.Helper()
	document, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}

// TestNetworkPolicyEgress: beside DNS a pod reaches its sink, wherever its name leads to, and nothing else.
func TestNetworkPolicyEgress(t *testing.T) {
	const (
		dns = `- ports:
  - {port: 53, protocol: UDP}
  - {port: 53, protocol: TCP}
  - {port: 5353, protocol: UDP}
  - {port: 5353, protocol: TCP}
`
		botPods  = "- {ports: [{protocol: TCP}], to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: bots}}}]}\n"
		ownPods  = "- {ports: [{protocol: TCP}], to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: chat}}}]}\n"
		anywhere = "- {ports: [{port: 443, protocol: TCP}]}\n"
	)
	for name, c := range map[string]struct{ sink, want string }{
		"a Service":                      {`url: "http://bot.bots.svc:8080/events"`, botPods},
		"a Service in full":              {`url: "http://bot.bots.svc.cluster.local/events"`, botPods},
		"a Service in full, with a dot":  {`url: "http://Bot.Bots.SVC.cluster.local./events"`, botPods},
		"a pod of a headless Service":    {`url: "http://bot-0.bot.bots.svc"`, botPods},
		"a Service of the own namespace": {`url: "http://bot:8080"`, ownPods},
		"a Service or a host":            {`url: "https://bot.bots"`, botPods + anywhere},
		"another domain of the cluster":  {`url: "https://bot.bots.svc.corp.example"`, botPods + anywhere},
		"a host":                         {`url: "https://bot.shop.example/events"`, anywhere},
		"a host that is no namespace":    {`url: "https://bot._bots"`, anywhere},
		"a host's port":                  {`url: "http://bot.shop.example:8443"`, "- {ports: [{port: 8443, protocol: TCP}]}\n"},
		"an address": {
			`url: "http://192.0.2.7/"`, "- {ports: [{port: 80, protocol: TCP}], to: [{ipBlock: {cidr: 192.0.2.7/32}}]}\n",
		},
		"an address of IPv6": {
			`url: "https://[2001:db8::7]:8443/"`, "- {ports: [{port: 8443, protocol: TCP}], to: [{ipBlock: {cidr: '2001:db8::7/128'}}]}\n",
		},
		"an address of IPv4 in IPv6": {
			`url: "https://[::ffff:192.0.2.7]/"`, "- {ports: [{port: 443, protocol: TCP}], to: [{ipBlock: {cidr: 192.0.2.7/32}}]}\n",
		},
		"the own pod":     {`url: "http://localhost:8080", localAddresses: Allow`, ""},
		"a proxy":         {`url: "http://bot.shop.example", proxy: "http://proxy.bots.svc:3128"`, botPods},
		"a SOCKS proxy":   {`url: "http://bot.bots.svc", proxy: "socks5://proxy.shop.example"`, "- {ports: [{port: 1080, protocol: TCP}]}\n"},
		"no proxy":        {`url: "http://bot.bots.svc", proxy: none`, botPods},
		"a secret URL":    {`url: null, urlSecretKeyRef: {name: bot, key: url}`, ""},
		"a proxy, secret": {`url: null, urlSecretKeyRef: {name: bot, key: url}, proxy: "https://proxy.shop.example"`, anywhere},
	} {
		t.Run(name, func(t *testing.T) {
			own := "- {ports: [{port: 3128, protocol: TCP}], to: [{ipBlock: {cidr: 198.51.100.0/24}}]}\n"
			got := policyOf(t, "", `sink: {http: {`+c.sink+`}}`, "workload: {networkPolicy: {egress: ["+own[2:len(own)-1]+"]}}")
			var want []networkingv1.NetworkPolicyEgressRule
			if err := yaml.UnmarshalStrict([]byte(dns+c.want+own), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(inYAML(t, want), inYAML(t, got.Spec.Egress)); diff != "" {
				t.Errorf("egress (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNetworkPolicyOfWhatATypeCalls: an AzureBot reaches the documents with Azure's keys, and with a web chat Direct Line:
// by one rule, if that lets it to both.
func TestNetworkPolicyOfWhatATypeCalls(t *testing.T) {
	const (
		anywhere = "- {ports: [{port: 443, protocol: TCP}]}\n"
		mirror   = "- {ports: [{protocol: TCP}], to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: mirrors}}}]}\n"
		app      = `appID: 6b1c8f0e-5a1d-4c0e-9a52-1f2e3d4c5b6a`
		webChat  = `webChat: {directLineSecretKeyRef: {name: a, key: b}, partnerKeys: [{name: web, secretKeyRef: {name: a, key: c}}]`
	)
	for name, c := range map[string]struct{ bot, want string }{
		"the documents":                 {app, anywhere},
		"nothing":                       {`token: {mode: "Off"}`, ""},
		"the documents and Direct Line": {app + ", " + webChat + "}", anywhere},
		"Direct Line":                   {`token: {mode: "Off"}, ` + webChat + "}", anywhere},
		"a mirror":                      {app + `, token: {metadataURL: "http://keys.mirrors.svc:8080/openid"}`, mirror},
		"a mirror and a Direct Line":    {app + `, token: {metadataURL: "http://keys.mirrors.svc/openid"}, ` + webChat + "}", mirror + anywhere},
		"a mirror and a Direct Line behind it": {
			app + `, token: {metadataURL: "http://keys.mirrors.svc/openid"}, ` + webChat + `, url: "http://line.mirrors.svc"}`, mirror,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := policyOf(t, "", `type: AzureBot, zaloOA: null, azureBot: {`+c.bot+`}`,
				`sink: {http: {url: "http://localhost:8080", localAddresses: Allow}}, workload: {networkPolicy: {}}`)
			var want []networkingv1.NetworkPolicyEgressRule
			if err := yaml.UnmarshalStrict([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(inYAML(t, append(got.Spec.Egress[:1:1], want...)), inYAML(t, got.Spec.Egress)); diff != "" {
				t.Errorf("egress beside DNS (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNetworkPolicyIngress: a rule without peers would let in everyone, so the port of the metrics has none if nobody
// is to be let in.
func TestNetworkPolicyIngress(t *testing.T) {
	const (
		everyone = "- {ports: [{port: 8080, protocol: TCP}]}\n"
		gateway  = "- {ports: [{port: 8080, protocol: TCP}], from: [{namespaceSelector: {matchLabels: {a: b}}, podSelector: {}}]}\n"
		operator = `{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: xbot-system}},
  podSelector: {matchLabels: {app.kubernetes.io/name: channel-connector-operator}}}`
	)
	for name, c := range map[string]struct{ operator, policy, want string }{
		"nobody named": {"", `{}`, everyone},
		"the operator": {"xbot-system", `{}`, everyone + "- {ports: [{port: 9090, protocol: TCP}], from: [" + operator + "]}\n"},
		"a gateway":    {"", `{webhookFrom: [{namespaceSelector: {matchLabels: {a: b}}, podSelector: {}}]}`, gateway},
		"monitoring": {
			"", `{metricsFrom: [{podSelector: {}}]}`, everyone + "- {ports: [{port: 9090, protocol: TCP}], from: [{podSelector: {}}]}\n",
		},
		"it and the operator": {
			"xbot-system", `{metricsFrom: [{podSelector: {}}]}`,
			everyone + "- {ports: [{port: 9090, protocol: TCP}], from: [{podSelector: {}}, " + operator + "]}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := policyOf(t, c.operator, `workload: {networkPolicy: `+c.policy+`}`)
			var want []networkingv1.NetworkPolicyIngressRule
			if err := yaml.UnmarshalStrict([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(inYAML(t, want), inYAML(t, got.Spec.Ingress)); diff != "" {
				t.Errorf("ingress (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(Selector("shop"), got.Spec.PodSelector.MatchLabels); diff != "" {
				t.Errorf("pods (-want +got):\n%s", diff)
			}
			both := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
			if diff := cmp.Diff(both, got.Spec.PolicyTypes); diff != "" {
				t.Errorf("types (-want +got):\n%s", diff)
			}
		})
	}
}
