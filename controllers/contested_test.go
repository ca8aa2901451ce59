package controllers_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
)

var _ = Describe("A value that another controller writes back again and again", func() {
	var (
		namespace string
		shop      *v1alpha1.ChannelConnector
		op        *operator
		watch     *ahead
	)
	BeforeEach(func(ctx context.Context) {
		namespace, watch = newNamespace(ctx), &ahead{}
		newSecrets(ctx, namespace)
		op = startOperator(namespace, func(s *setup) { s.Clock = watch })
		shop = created(ctx, newConnector(namespace, "shop"))
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		settle(op)
	})
	contested := func(ctx context.Context) string {
		c := condition(ctx, shop, v1alpha1.ConditionFieldContested)
		return c.Reason + ": " + c.Message
	}
	// told are the messages of the events that name a contest.
	told := func(ctx context.Context) (notes []string, err error) {
		all, err := events(ctx, namespace)
		for _, e := range all {
			if e.Reason == "WrittenByOthers" || e.Reason == "ChangedOnAdmission" {
				notes = append(notes, e.Type+" "+e.Note)
			}
		}
		return notes, err
	}

	DescribeTable("is left to them after three corrections, and is put back when they stop:",
		func(ctx context.Context, object client.Object, patch, field string, theirs, wanted OmegaMatcher) {
			live := func() (client.Object, error) { return object, k8s.Get(ctx, childKey(shop), object) }
			w := write(ctx, childOf(shop, object), patch, theirs)
			Eventually(contested).WithArguments(ctx).Should(And(HavePrefix("WrittenByOthers: "), ContainSubstring(field),
				ContainSubstring(fmt.Sprintf("%q", childKey(shop).Name)), ContainSubstring(`by "their-controller"`)))
			Eventually(told).WithArguments(ctx).
				Should(ConsistOf(And(HavePrefix("Warning "), ContainSubstring(field), ContainSubstring("their-controller"))))
			Expect(metric("xbot_operator_fields_contested")).To(BeEquivalentTo(1))

			By("not fighting: their writer finds its own value, time after time")
			corrected := w.corrections()
			Expect(corrected).To(Equal(3))
			written := op.writes.Load()
			Eventually(w.looks).Should(BeNumerically(">=", w.looks()+20))
			Expect(w.corrections()).To(Equal(corrected))
			Expect(op.writes.Load()-written).To(BeNumerically("<=", 3), "what its status says of a roll-out: %v", op.written())
			becomesReady(ctx, shop)

			By("putting it back once when it is due, and not again before twice the time")
			watch.put(11 * time.Second)
			Eventually(w.corrections).Should(Equal(corrected + 1))
			Eventually(w.looks).Should(BeNumerically(">=", w.looks()+20))
			Expect(w.corrections()).To(Equal(corrected + 1))
			Expect(told(ctx)).To(HaveLen(1))

			By("ending when they do")
			w.stop()
			Expect(live()).To(theirs)
			watch.put(21 * time.Second)
			op.forcePass(ctx, shop)
			Eventually(live).Should(wanted)
			watch.put(11 * time.Second)
			op.forcePass(ctx, shop)
			Eventually(contested).WithArguments(ctx).Should(Equal(": "))
			Eventually(func() float64 { return metric("xbot_operator_fields_contested") }).Should(BeZero())
			becomesReady(ctx, shop)
			staysSettled(ctx, op, shop)
		},
		Entry("the number of pods", &appsv1.Deployment{}, `{"spec":{"replicas":3}}`, "spec.replicas",
			HaveField("Spec.Replicas", HaveValue(BeEquivalentTo(3))), HaveField("Spec.Replicas", HaveValue(BeEquivalentTo(1)))),
		Entry("the image", &appsv1.Deployment{}, `{"spec":{"template":{"spec":{"containers":[{"name":"connector","image":"theirs"}]}}}}`,
			"spec.template.spec.containers[name=connector].image", connectorRuns(Equal("theirs")), connectorRuns(Equal(connectorImage))),
		Entry("the memory limit", &appsv1.Deployment{},
			`{"spec":{"template":{"spec":{"containers":[{"name":"connector","resources":{"limits":{"memory":"512Mi"}}}]}}}}`,
			"spec.template.spec.containers[name=connector].resources.limits.memory", connectorMay("512Mi"), connectorMay("256Mi")),
		Entry("the number of the Service's port", &corev1.Service{},
			`{"spec":{"ports":[{"name":"http","port":8080,"protocol":"TCP","appProtocol":"http","targetPort":"http"}]}}`,
			"spec.ports[name=http].port",
			HaveField("Spec.Ports", ConsistOf(HaveField("Port", BeEquivalentTo(8080)))),
			HaveField("Spec.Ports", ConsistOf(HaveField("Port", BeEquivalentTo(80))))),
	)

	It("keeps no other field from being put back at once, nor from being declared", func(ctx context.Context) {
		theirs := connectorRuns(Equal("theirs"))
		w := write(ctx, childOf(shop, &appsv1.Deployment{}),
			`{"spec":{"template":{"spec":{"containers":[{"name":"connector","image":"theirs"}]}}}}`, theirs)
		Eventually(contested).WithArguments(ctx).Should(HavePrefix("WrittenByOthers: "))
		corrected := w.corrections()

		patched(ctx, childOf(shop, &appsv1.Deployment{}), `{"spec":{"replicas":3}}`)
		Eventually(deploymentOf).WithArguments(ctx, shop).Should(HaveField("Spec.Replicas", HaveValue(BeEquivalentTo(1))))
		patched(ctx, childOf(shop, &corev1.Service{}), `{"spec":{"ports":[{"name":"http","port":8080}]}}`)
		Eventually(func() (*corev1.Service, error) { s := &corev1.Service{}; return s, k8s.Get(ctx, childKey(shop), s) }).
			Should(HaveField("Spec.Ports", ConsistOf(HaveField("Port", BeEquivalentTo(80)))))
		updated(ctx, shop, labelPods)
		Eventually(func() string { return templateOf(deploymentOf(ctx, shop)) }).Should(ContainSubstring(`"team":"chat"`))
		Expect(deploymentOf(ctx, shop)).To(theirs)
		Expect(w.corrections()).To(Equal(corrected))
		Expect(contested(ctx)).NotTo(Or(ContainSubstring("replicas"), ContainSubstring("ports")))
	})

	It("holds the workload at none: the resource is not green", func(ctx context.Context) {
		write(ctx, childOf(shop, &appsv1.Deployment{}), `{"spec":{"replicas":0}}`, HaveField("Spec.Replicas", HaveValue(BeEquivalentTo(0))))
		Eventually(readyCondition).WithArguments(ctx, shop).Should(HaveField("Reason", "ScaledByOthers"))
	})

	It("is put back each time where it is the configuration: a revoked key must not come back", func(ctx context.Context) {
		w := write(ctx, childOf(shop, &corev1.Secret{}), `{"data":{"v1alpha1.yaml":"e30="}}`,
			HaveField("Data", HaveKeyWithValue("v1alpha1.yaml", []byte("{}"))))
		Eventually(w.corrections).Should(BeNumerically(">=", 10))
		w.stop()
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring("appID"))
		Expect(contested(ctx)).To(Equal(": "))
	})

	It("is found out again by a restarted operator", func(ctx context.Context) {
		w := write(ctx, childOf(shop, &appsv1.Deployment{}), `{"spec":{"replicas":3}}`, HaveField("Spec.Replicas", HaveValue(BeEquivalentTo(3))))
		Eventually(contested).WithArguments(ctx).Should(HavePrefix("WrittenByOthers: "))
		op.stop()
		before := w.corrections()
		op = startOperator(namespace, func(s *setup) { s.Clock = watch })
		Eventually(w.corrections).Should(Equal(before + 3))
		Eventually(contested).WithArguments(ctx).Should(HavePrefix("WrittenByOthers: "))
		Eventually(w.looks).Should(BeNumerically(">=", w.looks()+20))
		Expect(w.corrections()).To(Equal(before + 3))
	})

	It("is forgotten with the resource", func(ctx context.Context) {
		w := write(ctx, childOf(shop, &appsv1.Deployment{}), `{"spec":{"replicas":3}}`, HaveField("Spec.Replicas", HaveValue(BeEquivalentTo(3))))
		Eventually(contested).WithArguments(ctx).Should(HavePrefix("WrittenByOthers: "))
		w.stop()
		Expect(k8s.Delete(ctx, shop.DeepCopy())).To(Succeed())
		Eventually(func() float64 { return metric("xbot_operator_fields_contested") }).Should(BeZero())
	})
})

// childOf is a child of a resource that is not read yet.
func childOf(c *v1alpha1.ChannelConnector, object client.Object) client.Object {
	object, _ = object.DeepCopyObject().(client.Object)
	object.SetNamespace(c.Namespace)
	object.SetName(children.ConnectorName(c.Name))
	return object
}

func connectorRuns(image OmegaMatcher) OmegaMatcher {
	return HaveField("Spec.Template.Spec.Containers", ConsistOf(HaveField("Image", image)))
}

// connectorMay matches a Deployment whose container may take so much memory.
func connectorMay(take string) OmegaMatcher {
	return HaveField("Spec.Template.Spec.Containers",
		ConsistOf(HaveField("Resources.Limits", HaveKeyWithValue(corev1.ResourceMemory, resource.MustParse(take)))))
}

// writer is a foreign controller: it writes its value where it finds another one.
type writer struct {
	object client.Object
	patch  client.Patch
	theirs OmegaMatcher
	cancel context.CancelFunc
	ended  chan struct{}

	mu             sync.Mutex
	looked, writes int
}

// write starts a writer that looks at an object every 100 ms, until the spec ends or stop is called.
func write(ctx context.Context, object client.Object, patch string, theirs OmegaMatcher) *writer {
	kind := types.StrategicMergePatchType
	if strings.Contains(patch, `"ports"`) {
		kind = types.MergePatchType // where a port of another number is another port
	}
	const every = 100 * time.Millisecond
	w := &writer{object: object, patch: client.RawPatch(kind, []byte(patch)), theirs: theirs, ended: make(chan struct{})}
	ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(w.ended)
		for tick := time.NewTicker(every); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
				w.look(ctx)
			}
		}
	}()
	DeferCleanup(w.stop)
	return w
}

func (w *writer) look(ctx context.Context) {
	if k8s.Get(ctx, client.ObjectKeyFromObject(w.object), w.object) != nil {
		return
	}
	theirs, err := w.theirs.Match(w.object)
	wrote := err == nil && !theirs && k8s.Patch(ctx, w.object, w.patch, client.FieldOwner("their-controller")) == nil
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looked++
	if wrote {
		w.writes++
	}
}

// corrections is how often the writer found its value put back, and wrote it again.
func (w *writer) corrections() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writes - 1
}

// looks is how often the writer has looked.
func (w *writer) looks() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.looked
}

func (w *writer) stop() {
	w.cancel()
	<-w.ended
}
