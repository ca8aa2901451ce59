//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	v1alpha1ac "xbot.a4b.vn/channel-connector/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/config/crd"
)

// says waits until the channel's Ready condition, an event and the operator's log give a reason, and the condition's
// text says what to do.
func (c *channel) says(ctx context.Context, reason, text string) {
	GinkgoHelper()
	Eventually(c.condition).WithContext(ctx).WithArguments(v1alpha1.ConditionReady).Should(And(
		HaveField("Status", metav1.ConditionFalse), HaveField("Reason", reason), HaveField("Message", ContainSubstring(text))))
	Eventually(c.events).WithContext(ctx).Should(ContainElement(HaveField("Reason", reason)))
	Eventually(operatorLog).WithContext(ctx).Should(ContainElement(And(ContainSubstring(c.Namespace), ContainSubstring(reason))))
}

// events are those of the channel itself.
func (c *channel) events(ctx context.Context) (own []eventsv1.Event, err error) {
	list := &eventsv1.EventList{}
	err = k8s.List(ctx, list, client.InNamespace(c.Namespace))
	for i := range list.Items {
		if list.Items[i].Regarding.Kind == "ChannelConnector" {
			own = append(own, list.Items[i])
		}
	}
	return own, err
}

// operatorLog returns the records of all the operator's pods.
func operatorLog(ctx context.Context) []string {
	GinkgoHelper()
	return strings.Split(tryKubectl(ctx, "logs", "--namespace", operatorNamespace, "--tail=-1",
		"--selector=app.kubernetes.io/name=channel-connector-operator"), "\n")
}

var _ = Describe("On a bad day", func() {
	BeforeEach(func(ctx context.Context) { installOperator(ctx, version) })

	It("a wrong name of a Secret's key is named", func(ctx context.Context) {
		c := declareChannel(ctx, func(c *declaration) {
			c.Spec.ZaloOA.Signature.SecretKeyRefs[0].WithKey("currant")
		})
		c.says(ctx, "SecretKeyNotFound", `Secret "shop-zalo" has no key "currant"`)
		c.patch(ctx, `{"spec":{"zaloOA":{"signature":{"secretKeyRefs":[{"name":"shop-zalo","key":"current"}]}}}}`)
		c.becomesReady(ctx)
	}, SpecTimeout(5*time.Minute))

	It("an image that does not exist is named", func(ctx context.Context) {
		const image = "127.0.0.1:1/channel-connector" // nothing listens there, and the refusal is immediate
		installOperator(ctx, version, "--set-string", "connector.image.repository="+image)
		c := declareChannel(ctx)
		c.says(ctx, "ImagePullFailed", image+":"+version)
		installOperator(ctx, version)
		c.becomesReady(ctx)
	}, SpecTimeout(5*time.Minute))

	It("a volume that cannot be bound is named", func(ctx context.Context) {
		c := declareChannel(ctx, func(c *declaration) {
			c.Spec.WithInbox(v1alpha1ac.Inbox().WithEmbedded(v1alpha1ac.EmbeddedInbox().WithStorageClassName("no-such-class")))
		})
		c.says(ctx, "VolumeNotBound", "no-such-class")
	}, SpecTimeout(5*time.Minute))

	It("a full inbox refuses with 503, keeps what it has, and takes calls again", func(ctx context.Context) {
		c := newChannel(ctx, quickRetries, func(c *declaration) {
			c.Spec.WithInbox(v1alpha1ac.Inbox().WithEmbedded(v1alpha1ac.EmbeddedInbox().WithSize(resource.MustParse("128Mi"))))
		})
		c.bot.Answer(http.StatusServiceUnavailable)
		platform := c.loadOf(ctx, strings.Repeat("a", 512<<10))
		status := func() int { return c.post(ctx, c.current) }
		Eventually(status).WithTimeout(4 * time.Minute).Should(Equal(http.StatusServiceUnavailable))
		Expect(c.condition(ctx, v1alpha1.ConditionReady)).To(HaveField("Status", metav1.ConditionTrue), "it answers")
		Expect(kubectl(ctx, "logs", "--namespace", c.Namespace, "deployment/shop-connector")).To(
			And(ContainSubstring("the inbox is full"), ContainSubstring("connector status tells")))

		c.bot.Answer(http.StatusOK)
		Eventually(status).Should(Equal(http.StatusOK))
		verdict := c.settles(platform)
		Expect(verdict.Inverted).To(BeEmpty(), verdict.String())
	}, SpecTimeout(10*time.Minute))

	It("an operator without permission for a namespace says which it lacks, and what to do", func(ctx context.Context) {
		namespace := newNamespace(ctx)
		installOperator(ctx, version, "--set", "watchNamespaces={"+namespace+"}", "--set", "rbac.create=false", "--wait=false")
		DeferCleanup(removeOperator)
		Eventually(operatorLog).WithContext(ctx).Should(ContainElement(And(
			ContainSubstring(`no permission in namespace "`+namespace+`"`), ContainSubstring("forbidden"), ContainSubstring("rbac.create"))))
	}, SpecTimeout(5*time.Minute))

	It("a definition that is older than the operator is named, and what to apply", func(ctx context.Context) {
		removeOperator(ctx)
		applyDefinition(ctx, writeOlderDefinition())
		installOperator(ctx, version, "--set", "crds.enabled=false")
		c := newChannel(ctx, ephemeral)
		const lacks = "older than the operator: it lacks spec.workload.priorityClassName. "
		outdated := func() (metav1.Condition, error) { return c.condition(ctx, v1alpha1.ConditionDefinitionOutdated) }
		Eventually(outdated).Should(HaveField("Message", ContainSubstring(lacks)))
		Eventually(c.events).WithContext(ctx).Should(ContainElement(And(
			HaveField("Reason", "DefinitionOutdated"), HaveField("Note", ContainSubstring("config/crd")))))
		Eventually(operatorLog).WithContext(ctx).Should(ContainElement(And(ContainSubstring("ERROR"), ContainSubstring(lacks))))

		applyDefinition(ctx, definition)
		Eventually(outdated).Should(BeZero())
	}, SpecTimeout(5*time.Minute))
})

// writeOlderDefinition writes a definition from before there was spec.workload.priorityClassName.
func writeOlderDefinition() (path string) {
	GinkgoHelper()
	older := &apiextensionsv1.CustomResourceDefinition{}
	Expect(yaml.UnmarshalStrict(crd.ChannelConnectors, older)).To(Succeed())
	spec := older.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	delete(spec.Properties["workload"].Properties, "priorityClassName")
	path = filepath.Join(GinkgoT().TempDir(), "older.yaml")
	writeYAML(path, older)
	return path
}
