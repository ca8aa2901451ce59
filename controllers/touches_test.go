package controllers_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

var _ = Describe("A changed configuration", func() {
	var (
		namespace string
		shop      *v1alpha1.ChannelConnector
		op        *operator
		pod       *corev1.Pod
	)
	BeforeEach(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
		op = startOperator(namespace)
		shop = created(ctx, newConnector(namespace, "shop"))
		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		pod = newPod(ctx, shop)
		settle(op)
	})
	// rotate writes another key, and returns the digest of the configuration with it.
	rotate := func(ctx context.Context, n int) (digest string) {
		GinkgoHelper()
		key := fmt.Sprintf("Hidden0SecretKey%dOA", n)
		patched(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-zalo"}},
			`{"stringData":{"oa-secret-key":"`+key+`"}}`)
		Eventually(configOf).WithArguments(ctx, shop).Should(ContainSubstring(key))
		return child(ctx, shop, &corev1.Secret{}).Annotations[marks.AnnotationConfigDigest]
	}
	writtenAt := func(ctx context.Context) time.Time {
		GinkgoHelper()
		at, err := time.Parse(time.RFC3339Nano, child(ctx, shop, &corev1.Secret{}).Annotations[marks.AnnotationConfigWrittenAt])
		Expect(err).NotTo(HaveOccurred())
		return at
	}
	touch := func(ctx context.Context) (string, error) {
		err := k8s.Get(ctx, client.ObjectKeyFromObject(pod), pod)
		return pod.Annotations["xbot.a4b.vn/config-touched"], err
	}

	It("is told to the pods at once, after 1 s and after 5 s, and then never again", func(ctx context.Context) {
		Expect(touch(ctx)).To(BeEmpty(), "it started with its configuration")
		told := recordTouches(ctx, namespace)
		// Beside other work a touch can come so late that the next one is due, and stands for both. So one round of
		// several has to show all of them.
		const rounds = 5
		for round := range rounds {
			before := touches(op)
			digest := rotate(ctx, 2+round)
			at := writtenAt(ctx)
			Eventually(told.of).WithArguments(digest).Should(HaveKey("3"))
			for times, after := range map[string]time.Duration{"1": 0, "2": time.Second, "3": 5 * time.Second} {
				if when, seen := told.of(digest)[times]; seen {
					Expect(when).To(BeTemporally(">=", at.Add(after)), "not too early")
				}
			}
			staysSettled(ctx, op, shop)
			Expect(touches(op)-before).To(Equal(len(told.of(digest))), "%v", op.written())
			if len(told.of(digest)) == 3 {
				return
			}
		}
		Fail("a touch was left out each time")
	})

	It("counts as settled only after the last time", func(ctx context.Context) {
		digest := rotate(ctx, 9)
		settle(op)
		Expect(touch(ctx)).To(Equal(digest + "-3"))

		By("in the words of the connector that has read it")
		folder := GinkgoT().TempDir()
		for name, content := range child(ctx, shop, &corev1.Secret{}).Data {
			Expect(os.WriteFile(filepath.Join(folder, name), content, 0o600)).To(Succeed())
		}
		read, err := config.Load(filepath.Join(folder, render.FileName), types.Config())
		Expect(err).NotTo(HaveOccurred())
		Expect(read.Digest()).To(Equal(digest))
	})

	It("is told to none that started with it, is about to end, or is foreign", func(ctx context.Context) {
		unowned, another := newPod(ctx, shop), newPod(ctx, shop)
		patched(ctx, unowned, `{"metadata":{"ownerReferences":null}}`)
		owner := another.OwnerReferences[0]
		patched(ctx, another, fmt.Sprintf(`{"metadata":{"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet",`+
			`"name":"other-%s","uid":"%s","controller":true}]}}`, owner.Name, owner.UID))
		leaving := newPod(ctx, shop)
		patched(ctx, leaving, `{"metadata":{"finalizers":["example.com/stays"]}}`)
		Expect(k8s.Delete(ctx, leaving, client.GracePeriodSeconds(30))).To(Succeed())
		aSecondPasses(pod.CreationTimestamp)
		digest := rotate(ctx, 9)
		aSecondPasses(metav1.NewTime(writtenAt(ctx).Truncate(time.Second)))
		younger := newPod(ctx, shop)
		Eventually(touch).WithArguments(ctx).Should(MatchRegexp(digest + "-[23]$"))
		for _, other := range []*corev1.Pod{leaving, younger, unowned, another} {
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(other), other)).To(Succeed())
			Expect(other.Annotations).NotTo(HaveKey("xbot.a4b.vn/config-touched"))
		}
		patched(ctx, leaving, `{"metadata":{"finalizers":null}}`)
	})

	It("is told to few of the pods that others label as the resource's", func(ctx context.Context) {
		for range 30 {
			newPod(ctx, shop)
		}
		rotate(ctx, 9)
		settle(op)
		told := map[string]bool{}
		for _, write := range op.written() {
			if strings.Contains(write, "/pods/") {
				told[write] = true
			}
		}
		Expect(told).To(HaveLen(16))
	})

	It("holds up no pass if a pod loses its labels before it is told", func(ctx context.Context) {
		var once sync.Once
		op.inject(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
			if req.Method == http.MethodPatch && strings.Contains(req.URL.Path, "/pods/") {
				once.Do(func() {
					defer GinkgoRecover()
					patched(ctx, pod.DeepCopy(), `{"metadata":{"labels":{"`+marks.LabelManagedBy+`":null}}}`)
				})
			}
			return next.RoundTrip(req)
		})
		rotate(ctx, 8)
		Eventually(func() map[string]string {
			now := &corev1.Pod{}
			Expect(k8s.Get(ctx, client.ObjectKeyFromObject(pod), now)).To(Succeed())
			return now.Labels
		}).ShouldNot(HaveKey(marks.LabelManagedBy))
		rotate(ctx, 9)
		staysSettled(ctx, op, shop)
	})

	It("is told by the next operator where the one before ended", func(ctx context.Context) {
		digest := rotate(ctx, 9)
		Eventually(touch).WithArguments(ctx).Should(HavePrefix(digest))
		op.stop()
		before := touches(op)
		op = startOperator(namespace)
		Eventually(touch).WithArguments(ctx).Should(Equal(digest + "-3"))
		settle(op)
		Expect(before + touches(op)).To(BeNumerically("<=", 3))
		op.stop()

		By("or after the last time for it, once")
		patched(ctx, pod, `{"metadata":{"annotations":{"xbot.a4b.vn/config-touched":null}}}`)
		op = startOperator(namespace)
		Eventually(touch).WithArguments(ctx).Should(Equal(digest + "-3"))
		settle(op)
		Expect(touches(op)).To(Equal(1))
	})

	It("that changes again is told again", func(ctx context.Context) {
		first := rotate(ctx, 9)
		Eventually(touch).WithArguments(ctx).Should(HavePrefix(first))
		updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.ZaloOA.AppID = "42" })
		Eventually(touch).WithArguments(ctx).ShouldNot(HavePrefix(first))
		Eventually(touch).WithArguments(ctx).Should(MatchRegexp("-[23]$"))
	})
})

// touchLog is when the pods of a namespace were seen to be told of each configuration.
type touchLog struct {
	mu   sync.Mutex
	seen map[string]time.Time // by the annotation's value
}

// recordTouches watches the pods of a namespace until the spec ends. Asking now and then would miss what stands for a
// second.
func recordTouches(ctx context.Context, namespace string) *touchLog {
	GinkgoHelper()
	watcher, err := k8s.Watch(context.WithoutCancel(ctx), &corev1.PodList{}, client.InNamespace(namespace))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(watcher.Stop)
	l := &touchLog{seen: map[string]time.Time{}}
	go l.follow(watcher)
	return l
}

func (l *touchLog) follow(watcher watch.Interface) {
	for event := range watcher.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			continue
		}
		value := pod.Annotations["xbot.a4b.vn/config-touched"]
		l.mu.Lock()
		if _, again := l.seen[value]; !again {
			l.seen[value] = time.Now()
		}
		l.mu.Unlock()
	}
}

// of returns when a configuration was told, by how often it had been told then.
func (l *touchLog) of(digest string) map[string]time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := map[string]time.Time{}
	for value, when := range l.seen {
		if times, ok := strings.CutPrefix(value, digest+"-"); ok {
			told[times] = when
		}
	}
	return told
}

// touches is how often an operator told pods of a configuration.
func touches(op *operator) int {
	n := 0
	for _, write := range op.written() {
		if strings.Contains(write, "/pods/") {
			n++
		}
	}
	return n
}
