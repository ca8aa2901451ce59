package controllers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// authorPolicy installs config/policy until the spec ends.
func authorPolicy(ctx context.Context) {
	GinkgoHelper()
	for name, object := range map[string]client.Object{
		"author_policy.yaml":         &admissionv1.ValidatingAdmissionPolicy{},
		"author_policy_binding.yaml": &admissionv1.ValidatingAdmissionPolicyBinding{},
	} {
		text, err := os.ReadFile(filepath.Join("..", "config", "policy", name))
		Expect(err).NotTo(HaveOccurred())
		Expect(yaml.UnmarshalStrict(text, object)).To(Succeed())
		Expect(k8s.Create(ctx, object)).To(Succeed())
		DeferCleanup(func(ctx context.Context) { Expect(k8s.Delete(ctx, object)).To(Succeed()) })
	}
}

// exempt adds the condition with which the chart exempts users. The chart's own suite installs its whole policy.
func exempt(ctx context.Context, users ...string) {
	GinkgoHelper()
	template, err := os.ReadFile(filepath.Join("..", "charts", "channel-connector", "templates", "author_policy.yaml"))
	Expect(err).NotTo(HaveOccurred())
	found := regexp.MustCompile(`"expression" \(printf "(.+)" \(\$exempt \| toJson\)\)`).FindSubmatch(template)
	Expect(found).NotTo(BeNil())
	names, err := json.Marshal(users)
	Expect(err).NotTo(HaveOccurred())
	policy := &admissionv1.ValidatingAdmissionPolicy{}
	Expect(k8s.Get(ctx, client.ObjectKey{Name: "channelconnector-authors"}, policy)).To(Succeed())
	policy.Spec.MatchConditions = append(policy.Spec.MatchConditions, admissionv1.MatchCondition{
		Name: "not-exempt", Expression: fmt.Sprintf(string(found[1]), names),
	})
	Expect(k8s.Update(ctx, policy)).To(Succeed())
}

// author is a user with rights in a namespace, beside those on ChannelConnectors.
func author(ctx context.Context, namespace, name string, rights ...rbacv1.PolicyRule) client.Client {
	GinkgoHelper()
	own := rbacv1.PolicyRule{
		APIGroups: []string{v1alpha1.GroupVersion.Group}, Verbs: []string{"*"},
		Resources: []string{"channelconnectors", "channelconnectors/scale"},
	}
	at := metav1.ObjectMeta{Namespace: namespace, Name: name}
	Expect(k8s.Create(ctx, &rbacv1.Role{ObjectMeta: at, Rules: append(rights, own)})).To(Succeed())
	Expect(k8s.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: at, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
	})).To(Succeed())
	config := rest.CopyConfig(cluster)
	config.Impersonate = rest.ImpersonationConfig{UserName: name}
	c, err := client.New(config, client.Options{Scheme: k8s.Scheme()})
	Expect(err).NotTo(HaveOccurred())
	return c
}

func core(resource, verb string, names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{resource}, Verbs: []string{verb}, ResourceNames: names}
}

// networking are rights to create objects of networking.k8s.io and of the Gateway API.
func networking(resources ...string) rbacv1.PolicyRule {
	groups := []string{"networking.k8s.io", "gateway.networking.k8s.io"}
	return rbacv1.PolicyRule{APIGroups: groups, Resources: resources, Verbs: []string{"create"}}
}

var _ = Describe("The policy of config/policy", func() {
	const secrets, pods = "its author needs the right to get all Secrets there", "its author needs the right to create pods in its namespace"
	var namespace string
	BeforeEach(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
		authorPolicy(ctx)
	})
	probe := func() *v1alpha1.ChannelConnector {
		c := newConnector(namespace, "probe")
		c.Spec.Workload.NetworkPolicy = nil
		return c
	}
	creates := func(ctx context.Context, as client.Client) error {
		return as.Create(ctx, minimal(probe()), client.DryRunAll)
	}

	It("lets only those declare a ChannelConnector who have the rights that it is worth", func(ctx context.Context) {
		for name, c := range map[string]struct {
			rights []rbacv1.PolicyRule
			want   OmegaMatcher
		}{
			"neither":   {nil, MatchError(ContainSubstring(secrets))},
			"pods":      {[]rbacv1.PolicyRule{core("pods", "create")}, MatchError(ContainSubstring(secrets))},
			"secrets":   {[]rbacv1.PolicyRule{core("secrets", "get")}, MatchError(ContainSubstring(pods))},
			"one":       {[]rbacv1.PolicyRule{core("secrets", "get", "shop-zalo"), core("pods", "create")}, MatchError(ContainSubstring(secrets))},
			"both":      {[]rbacv1.PolicyRule{core("secrets", "get"), core("pods", "create")}, Succeed()},
			"elsewhere": {nil, MatchError(ContainSubstring(secrets))},
		} {
			as := author(ctx, namespace, namespace+"-"+name, c.rights...)
			if name == "elsewhere" {
				author(ctx, newNamespace(ctx), namespace+"-"+name, core("secrets", "get"), core("pods", "create"))
			}
			Eventually(creates).WithArguments(ctx, as).Should(c.want, name)
		}
	})

	It("demands the right to what else is declared", func(ctx context.Context) {
		exposed := func(e v1alpha1.Exposure) func(*v1alpha1.ChannelConnector) {
			return func(c *v1alpha1.ChannelConnector) { c.Spec.Exposure = &e }
		}
		const host = "hooks.example.com"
		for resource, declare := range map[string]func(*v1alpha1.ChannelConnector){
			"ingresses": exposed(v1alpha1.Exposure{Ingress: &v1alpha1.IngressExposure{Host: host}}),
			"httproutes": exposed(v1alpha1.Exposure{HTTPRoute: &v1alpha1.HTTPRouteExposure{
				ParentRefs: []v1alpha1.ParentRef{{Name: "public"}}, Hostnames: []v1alpha1.Hostname{host},
			}}),
			"networkpolicies": func(c *v1alpha1.ChannelConnector) {
				c.Spec.Workload.NetworkPolicy = &v1alpha1.NetworkPolicy{WebhookFrom: []networkingv1.NetworkPolicyPeer{{
					NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
				}}}
			},
		} {
			declared := func(ctx context.Context, as client.Client) error {
				c := probe()
				declare(c)
				return as.Create(ctx, minimal(c), client.DryRunAll)
			}
			rights := []rbacv1.PolicyRule{core("secrets", "get"), core("pods", "create")}
			weak := author(ctx, namespace, namespace+"-without-"+resource, rights...)
			Eventually(creates).WithArguments(ctx, weak).Should(Succeed())
			Expect(declared(ctx, weak)).To(MatchError(ContainSubstring("its author needs the right to create "+resource)), resource)
			strong := author(ctx, namespace, namespace+"-with-"+resource, append(rights, networking(resource))...)
			Eventually(declared).WithArguments(ctx, strong).Should(Succeed(), resource)
		}
	})

	It("lets those pass whom the chart exempts", func(ctx context.Context) {
		hook, other := author(ctx, namespace, namespace+"-hook"), author(ctx, namespace, namespace+"-other")
		Eventually(creates).WithArguments(ctx, hook).Should(MatchError(ContainSubstring(secrets)))
		exempt(ctx, namespace+"-hook", "system:serviceaccount:flux-system:kustomize-controller")
		Eventually(creates).WithArguments(ctx, hook).Should(Succeed())
		Expect(creates(ctx, other)).To(MatchError(ContainSubstring(secrets)))
	})

	It("is in the way neither of the operator nor of changes that declare nothing", func(ctx context.Context) {
		weak := author(ctx, namespace, namespace+"-weak")
		Eventually(creates).WithArguments(ctx, weak).Should(MatchError(ContainSubstring(secrets)))
		op := startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		becomesReady(ctx, shop)
		settle(op)

		patch := func(text string) error {
			return weak.Patch(ctx, shop.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(text)))
		}
		Expect(patch(`{"metadata":{"labels":{"team":"chat"},"finalizers":["example.com/theirs"]}}`)).To(Succeed())
		Expect(patch(`{"spec":{"sink":{"http":{"url":"http://thief.example/"}}}}`)).To(MatchError(ContainSubstring(secrets)))
		scale := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"replicas":0}}`))
		Expect(weak.SubResource("scale").Patch(ctx, shop.DeepCopy(), scale)).To(Succeed())
		Expect(weak.Delete(ctx, shop.DeepCopy())).To(Succeed())
		Expect(patch(`{"metadata":{"finalizers":null}}`)).To(Succeed(), "garbage collection does so")
	})
})
