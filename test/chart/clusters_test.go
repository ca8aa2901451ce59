package chart_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/test/kit/certificate"
	"xbot.a4b.vn/channel-connector/test/kit/installation"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
	"xbot.a4b.vn/channel-connector/test/kit/versions"
)

// limitEverything makes a quota of a namespace that refuses pods without limits, as the cluster's own controller would
// after it has counted.
func limitEverything(ctx context.Context, namespace string) {
	GinkgoHelper()
	hard := corev1.ResourceList{}
	for _, limit := range []corev1.ResourceName{corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory, corev1.ResourceLimitsEphemeralStorage} {
		hard[limit] = resource.MustParse("100Gi")
	}
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "all"}, Spec: corev1.ResourceQuotaSpec{Hard: hard},
	}
	Expect(k8s.Create(ctx, quota)).To(Succeed())
	used := corev1.ResourceList{}
	for limit := range hard {
		used[limit] = resource.MustParse("0")
	}
	quota.Status = corev1.ResourceQuotaStatus{Hard: hard, Used: used}
	Expect(k8s.Status().Update(ctx, quota)).To(Succeed())
}

var _ = Describe("A namespace with a quota of all limits", func() {
	It("takes the pods of hooks as they are, and the operator's with a limit of the CPU", func(ctx context.Context) {
		k8s.MakeNamespace(ctx, "quota")
		limitEverything(ctx, "quota")
		render := func(more ...string) []*unstructured.Unstructured {
			return installation.Objects(helm(ctx, append([]string{"template", release, chart, "--namespace=quota", oldest,
				values("two-namespaces"), "--set=watchNamespaces={quota}"}, more...)...))
		}
		unlimited := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "quota", Name: "unlimited"}, Spec: deploymentOf(render()).Spec.Template.Spec,
		}
		Eventually(ctx, func() error { return k8s.Create(ctx, unlimited.DeepCopy(), client.DryRunAll) }).
			WithTimeout(installation.Soon).Should(MatchError(ContainSubstring("must specify limits.cpu")))
		all := render("--set=operator.resources.limits.cpu=1")
		expectPodsTaken(ctx, all, "quota")
	})
})

var _ = Describe("A chart that contains this one", func() {
	It("switches it on and off by its condition, under a name of its own", func(ctx context.Context) {
		umbrella := GinkgoT().TempDir()
		Expect(os.CopyFS(filepath.Join(umbrella, "charts/channel-connector"), os.DirFS(filepath.Join(installation.Root, chart)))).To(Succeed())
		for name, content := range map[string]string{
			"Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n" +
				"- {name: channel-connector, version: 0.1.0, alias: chat, condition: chat.enabled, tags: [channels]}\n",
			"values.yaml": "global: {registry: registry.example}\nchat:\n  enabled: true\n  crds: {enabled: false}\n",
		} {
			Expect(os.WriteFile(filepath.Join(umbrella, name), []byte(content), 0o600)).To(Succeed())
		}
		k8s.MakeNamespace(ctx, "umbrella")
		helm(ctx, "install", "shop", umbrella, "--namespace=umbrella", "--no-hooks")
		Expect(deploymentOf(objects(ctx, "shop", "umbrella")).Name).To(Equal("shop-chat-operator"))
		helm(ctx, "upgrade", "shop", umbrella, "--namespace=umbrella", "--no-hooks", "--set=chat.enabled=false")
		Expect(installation.Of(objects(ctx, "shop", "umbrella"), "Deployment")).To(BeEmpty())
	})
})

var _ = Describe("Metrics with a certificate of a Secret", func() {
	It("are served with it, and with the renewed one without a restart", func(ctx context.Context) {
		folder, address := GinkgoT().TempDir(), reserved.Address(GinkgoTB())
		renew := func(serial int64) *x509.CertPool {
			cert, key := certificate.New(GinkgoTB(), serial)
			Expect(os.WriteFile(filepath.Join(folder, "tls.key"), []byte(key), 0o600)).To(Succeed())
			Expect(os.WriteFile(filepath.Join(folder, "tls.crt"), []byte(cert), 0o600)).To(Succeed())
			authority := x509.NewCertPool()
			Expect(authority.AppendCertsFromPEM([]byte(cert))).To(BeTrue())
			return authority
		}
		verified := func(authority *x509.CertPool) (int, error) {
			transport := &http.Transport{TLSClientConfig: &tls.Config{
				RootCAs: authority, ServerName: certificate.Name, MinVersion: tls.VersionTLS13,
			}}
			defer transport.CloseIdleConnections()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/metrics", http.NoBody)
			Expect(err).NotTo(HaveOccurred())
			response, err := transport.RoundTrip(request)
			if err != nil {
				return 0, err
			}
			return response.StatusCode, response.Body.Close()
		}
		first := renew(1)
		pod := deploymentOf(objects(ctx, "cluster", "xbot-system")).Spec.Template.Spec
		k8s.Run(operator, "xbot-system", pod, "--leader-election-namespace=xbot-system", "--health-probe-bind-address=127.0.0.1:0",
			"--metrics-bind-address="+address, "--metrics-cert-dir="+folder)
		Eventually(ctx, verified).WithArguments(first).WithTimeout(installation.Soon).Should(Equal(http.StatusUnauthorized))
		second := renew(2)
		Eventually(ctx, verified).WithArguments(second).WithTimeout(installation.Soon).Should(Equal(http.StatusUnauthorized))
	})
})

var _ = Describe("The chart's rules", func() {
	It("are taken by every supported version", func(ctx context.Context) {
		for _, object := range installation.Objects(helm(ctx, "template", release, chart, oldest, values("full"))) {
			manifest, err := object.MarshalJSON()
			Expect(err).NotTo(HaveOccurred())
			for _, server := range versions.Supported() {
				Expect(versions.Refusal(ctx, server, manifest)).To(Succeed(), server.String())
			}
		}
	})
})
