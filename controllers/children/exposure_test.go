package children

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/test/kit/golden"
)

const (
	httpRouteExposure = `exposure: {httpRoute: {parentRefs: [{name: public}], hostnames: [hooks.example.com, zalo.example.com]}}`
	ingressExposure   = `exposure: {ingress: {host: hooks.example.com}}`
	domainPages       = `zaloOA: {domainVerification: {codes: [AbCdEf, "1_2-3"]}}`
	calledPath        = "/webhook/xpbot/api/zalo/push"
)

// outer returns the kinds of objects that lead calls to the connector.
func outer() []Kind { return []Kind{httpRoute, ingress} }

// TestIngressGolden shows an Ingress in full, and one with as little as possible.
func TestIngressGolden(t *testing.T) {
	for name, patches := range map[string][]string{
		"least": {ingressExposure},
		"most": {domainPages, `exposure: {ingress: {host: hooks.example.com, className: nginx, tlsSecretName: hooks-tls,
			annotations: {cert-manager.io/cluster-issuer: public, xbot.a4b.vn/connector: mine}}}`},
	} {
		all := Build(outer(), input(connectortest.New(t, patches...)))
		if len(all) != 1 {
			t.Fatalf("%s: got %v, want an Ingress", name, names(all))
		}
		golden.Check(t, filepath.Join("testdata", "ingress", name+".yaml"), manifest(t, all[0]))
	}
}

// paths returns the paths that an object leads to the connector, and the names of hosts.
func paths(t *testing.T, child Child) (hosts, paths []string) {
	t.Helper()
	switch object := child.Kind.New().(type) {
	case *gatewayv1.HTTPRoute:
		if err := yaml.UnmarshalStrict(manifest(t, child), object); err != nil {
			t.Fatal(err)
		}
		for _, host := range object.Spec.Hostnames {
			hosts = append(hosts, string(host))
		}
		for _, rule := range object.Spec.Rules {
			if len(rule.Matches) > 8 {
				t.Errorf("%d matches in a rule, which the Gateway API 1.0 refuses", len(rule.Matches))
			}
			for _, match := range rule.Matches {
				if *match.Path.Type != gatewayv1.PathMatchExact || match.Method != nil || match.Headers != nil {
					t.Errorf("matches %v", match)
				}
				paths = append(paths, *match.Path.Value)
			}
			if backend := rule.BackendRefs[0]; backend.Name != "shop-connector" || *backend.Port != 80 {
				t.Errorf("leads to %v", backend)
			}
		}
	case *networkingv1.Ingress:
		if err := yaml.UnmarshalStrict(manifest(t, child), object); err != nil {
			t.Fatal(err)
		}
		for _, rule := range object.Spec.Rules {
			hosts = append(hosts, rule.Host)
			for _, path := range rule.HTTP.Paths {
				if *path.PathType != networkingv1.PathTypeExact {
					t.Errorf("matches %v", path)
				}
				paths = append(paths, path.Path)
			}
		}
		if object.Spec.DefaultBackend != nil {
			t.Error("has a default backend, which serves every path")
		}
	}
	return hosts, paths
}

// TestRouted: what is led to the connector is the path that the platform calls, and the pages of the resource. Nothing
// else is, and no path that is another resource's.
func TestRouted(t *testing.T) {
	pages := []string{"/zalo_verifierAbCdEf.html", "/", "/zalo_verifier1_2-3.html"}
	codes, most := make([]string, 16), []string{calledPath}
	for i := range codes {
		codes[i] = fmt.Sprintf("%q", fmt.Sprintf("code-%02d", i))
		most = append(most, fmt.Sprintf("/zalo_verifiercode-%02d.html", i))
		if i == 0 {
			most = append(most, "/")
		}
	}
	for name, c := range map[string]struct {
		patches, taken, want []string
	}{
		"the default path": {want: []string{calledPath}},
		"a path":           {patches: []string{`webhook: {path: /zalo/push}`}, want: []string{"/zalo/push"}},
		"pages":            {patches: []string{domainPages}, want: append([]string{calledPath}, pages...)},
		"as many pages as there may be": {
			patches: []string{fmt.Sprintf("zaloOA: {domainVerification: {codes: [%s]}}", strings.Join(codes, ", "))}, want: most,
		},
		"a web chat": {
			patches: []string{`type: AzureBot, zaloOA: null, azureBot: {token: {mode: "Off"}, webChat: {
  directLineSecretKeyRef: {name: a, key: b}, partnerKeys: [{name: web, secretKeyRef: {name: a, key: c}}]}}`},
			want: []string{"/webhook/xpbot/api/azbot/push", "/partner/xpbot/api/webchat/initForClient"},
		},
		"a page is taken": {
			patches: []string{domainPages}, taken: []string{"/"}, want: []string{calledPath, pages[0], pages[2]},
		},
		"the path is taken":       {patches: []string{domainPages}, taken: []string{calledPath}},
		"another's path is taken": {taken: []string{"/zalo/push"}, want: []string{calledPath}},
	} {
		t.Run(name, func(t *testing.T) {
			for exposure, hosts := range map[string][]string{
				httpRouteExposure: {"hooks.example.com", "zalo.example.com"}, ingressExposure: {"hooks.example.com"},
			} {
				in := input(connectortest.New(t, append(c.patches, exposure)...))
				in.Taken = c.taken
				if diff := cmp.Diff(hosts, Hosts(in.Connector)); diff != "" {
					t.Errorf("hosts (-want +got):\n%s", diff)
				}
				all := Build(outer(), in)
				if c.want == nil {
					if len(all) > 0 || len(Unwanted(outer(), in)) != 2 {
						t.Errorf("wants %v, and %v to go", names(all), names(Unwanted(outer(), in)))
					}
					continue
				}
				gotHosts, got := paths(t, all[0])
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("paths (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(hosts, gotHosts); diff != "" {
					t.Errorf("hosts (-want +got):\n%s", diff)
				}
			}
		})
	}
	if Hosts(connectortest.New(t)) != nil {
		t.Error("a resource without an exposure has hosts")
	}
}

// TestOperatorsAnnotationsWin: the annotations of an Ingress are the user's, but for those that the operator needs.
func TestOperatorsAnnotationsWin(t *testing.T) {
	in := input(connectortest.New(t,
		`exposure: {ingress: {host: a.example.com, annotations: {`+marks.AnnotationConnector+`: mine, team: chat}}}`))
	document := string(manifest(t, Build(outer(), in)[0]))
	for _, want := range []string{marks.AnnotationConnector + ": shop", "team: chat"} {
		if !strings.Contains(document, want) {
			t.Errorf("no %q in\n%s", want, document)
		}
	}
}

// TestIngressOfAnotherClass: an Ingress is made again if the resource comes to declare another class than it did, and not if
// somebody else fills one in or changes it.
func TestIngressOfAnotherClass(t *testing.T) {
	const none, nginx = `exposure: {ingress: {host: a.example.com}}`, `exposure: {ingress: {host: a.example.com, className: nginx}}`
	const old = `exposure: {ingress: {host: a.example.com, annotations: {kubernetes.io/ingress.class: gce}}}`
	const alb = `exposure: {ingress: {host: a.example.com, className: alb}}`
	const both = `exposure: {ingress: {host: a.example.com, className: alb, annotations: {kubernetes.io/ingress.class: gce}}}`
	for name, c := range map[string]struct {
		before, now string
		// class is the Ingress's, which others fill in or change.
		class string
		want  bool
	}{
		"the same":                         {before: nginx, now: nginx, class: "nginx"},
		"changed by others":                {before: nginx, now: nginx, class: "haproxy"},
		"the default":                      {before: none, now: none, class: "haproxy"},
		"no default":                       {before: none, now: none},
		"another one":                      {before: alb, now: nginx, class: "alb", want: true},
		"taken out":                        {before: nginx, now: none, class: "nginx", want: true},
		"instead of the default":           {before: none, now: nginx, class: "haproxy", want: true},
		"instead of none":                  {before: none, now: nginx, want: true},
		"what is the default":              {before: none, now: nginx, class: "nginx"},
		"for an annotation":                {before: nginx, now: old, class: "nginx", want: true},
		"for an annotation of the class":   {before: `exposure: {ingress: {host: a.example.com, className: gce}}`, now: old, class: "gce"},
		"instead of an annotation":         {before: old, now: nginx, want: true},
		"an annotation, taken out":         {before: old, now: none, want: true},
		"by both, which no Ingress can be": {before: nginx, now: both, class: "nginx"},
	} {
		live := &networkingv1.Ingress{}
		if err := yaml.UnmarshalStrict(manifest(t, Build(outer(), input(connectortest.New(t, c.before)))[0]), live); err != nil {
			t.Fatal(err)
		}
		if live.Spec.IngressClassName = nil; c.class != "" {
			live.Spec.IngressClassName = &c.class
		}
		wanted := Build(outer(), input(connectortest.New(t, c.now)))[0]
		if got := wanted.Kind.Replace(wanted.Desired, live); got != c.want {
			t.Errorf("%s: replaced %v, want %v", name, got, c.want)
		}
		delete(live.Annotations, marks.AnnotationIngressClass)
		if wanted.Kind.Replace(wanted.Desired, live) {
			t.Errorf("%s: replaced, although nothing says what was declared", name)
		}
	}
}
