package controllers_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
)

var _ = Describe("A workload that is down long after its roll-out", func() {
	// deadline is that of the Deployment, and a little more.
	const deadline = 5*time.Minute + 2*time.Second
	var (
		namespace string
		shop      *v1alpha1.ChannelConnector
		op        *operator
		watch     *ahead
		asked     atomic.Int64 // how often events were listed
	)
	BeforeEach(func(ctx context.Context) {
		namespace, watch = newNamespace(ctx), &ahead{}
		asked.Store(0)
		newSecrets(ctx, namespace)
		op = startOperator(namespace, func(s *setup) { s.Clock = watch })
		op.inject(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
			if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/events") {
				asked.Add(1)
			}
			return next.RoundTrip(req)
		})
		shop = created(ctx, newConnector(namespace, "shop"))
		becomesReady(ctx, shop)
		says(ctx, shop, wasRolledOut)
		settle(op)
	})
	// isAfter lets the deadline pass, and expects Stalled and Ready with a reason and words.
	isAfter := func(ctx context.Context, reason string, words ...string) {
		GinkgoHelper()
		Expect(asked.Load()).To(BeZero(), "events are read only past the deadline")
		watch.put(deadline)
		op.forcePass(ctx, shop)
		// A pass that met the change of the resource is repeated.
		Eventually(condition).WithArguments(ctx, shop, v1alpha1.ConditionStalled).Should(HaveField("Reason", reason))
		ready := readyCondition(ctx, shop)
		for _, text := range words {
			Expect(ready.Message).To(ContainSubstring(text))
		}
		Expect(condition(ctx, shop, v1alpha1.ConditionStalled)).To(HaveField("Message", ready.Message))
		Expect(condition(ctx, shop, v1alpha1.ConditionWorkloadAvailable)).To(HaveField("Reason", reason))
	}
	startsAgain := func(ctx context.Context) {
		GinkgoHelper()
		says(ctx, shop, isDown(1))
		Eventually(readyCondition).WithArguments(ctx, shop).Should(HaveField("Reason", "Starting"))
	}
	// staysAsIs expects no write of further passes, and no condition but the last.
	staysAsIs := func(ctx context.Context) {
		GinkgoHelper()
		before, writes := readyCondition(ctx, shop), op.writes.Load()
		for range 3 {
			watch.put(time.Hour)
			op.forcePass(ctx, shop)
		}
		Expect(op.writes.Load()).To(Equal(writes), "%v", op.written())
		Expect(readyCondition(ctx, shop)).To(Equal(before))
	}

	It("says in the kubelet's words that its volume cannot be mounted, until it is", func(ctx context.Context) {
		pod := newPod(ctx, shop)
		onNode(ctx, pod, creating)
		startsAgain(ctx)
		warn(ctx, podOf(pod), "FailedMount", `MountVolume.SetUp failed for volume "inbox": rpc error: id 0a1b2c3d4e: no such disk`)
		_, before := op.passes.count(client.ObjectKeyFromObject(shop))
		isAfter(ctx, "VolumeNotMounted", pod.Name, "FailedMount: MountVolume.SetUp failed", "id 0a1b2c3d4e: no such disk")
		times := asked.Load()
		after, _ := op.passes.count(client.ObjectKeyFromObject(shop))
		Expect(times).To(BeNumerically("<=", after-before), "once in a pass")

		By("writing nothing while the same is said with other ids")
		warn(ctx, podOf(pod), "FailedMount", `MountVolume.SetUp failed for volume "inbox": rpc error: id 5f6a7b8c9d: no such disk`)
		staysAsIs(ctx)

		says(ctx, shop, wasRolledOut)
		Eventually(readyCondition).WithArguments(ctx, shop).Should(beTrue)
		Expect(condition(ctx, shop, v1alpha1.ConditionStalled)).To(Equal(&metav1.Condition{}))
		staysSettled(ctx, op, shop)
	})

	It("looks at the deadline without an event", func(ctx context.Context) {
		newPod(ctx, shop)
		says(ctx, shop, func(d *appsv1.Deployment) {
			isDown(1)(d) // and past the deadline in a few seconds
			d.Status.Conditions[1].LastTransitionTime = metav1.NewTime(time.Now().Add(-deadline + 6*time.Second))
		})
		Eventually(readyCondition).WithArguments(ctx, shop).Should(HaveField("Reason", "Unavailable"))
		Expect(readiness(namespace, "shop")).To(ContainElement("False Starting"))
	})

	It("names the node that is lost, and what to do, until the node is back", func(ctx context.Context) {
		pod := newPod(ctx, shop)
		onNode(ctx, pod, lost)
		says(ctx, shop, isDown(1))
		Eventually(readyCondition).WithArguments(ctx, shop).Should(And(HaveField("Reason", "NodeLost"), HaveField("Message", And(
			ContainSubstring(`Node "node-7"`), ContainSubstring(pod.Name), ContainSubstring("node.kubernetes.io/out-of-service")))))
		Expect(condition(ctx, shop, v1alpha1.ConditionReconciling)).To(HaveField("Reason", "NodeLost"))
		isAfter(ctx, "NodeLost")
		staysAsIs(ctx)

		By("of a pod that was evicted as well, and does not end")
		Expect(k8s.Delete(ctx, pod)).To(Succeed())
		next := newPod(ctx, shop)
		onNode(ctx, next, creating)
		warn(ctx, podOf(next), "FailedAttachVolume", "Multi-Attach error for volume")
		watch.put(time.Hour)
		op.forcePass(ctx, shop)
		Eventually(readyCondition).WithArguments(ctx, shop).Should(And(HaveField("Reason", "NodeLost"), HaveField("Message", And(
			ContainSubstring(pod.Name), ContainSubstring(next.Name), ContainSubstring("FailedAttachVolume: Multi-Attach error")))))
		staysAsIs(ctx)

		Expect(k8s.Delete(ctx, pod, client.GracePeriodSeconds(0))).To(Succeed())
		becomesReady(ctx, shop)
	})

	It("quotes what refuses the pod, of the Deployment or else of its ReplicaSet", func(ctx context.Context) {
		says(ctx, shop, isDown(0))
		name := children.ConnectorName(shop.Name)
		warn(ctx, corev1.ObjectReference{Kind: "ReplicaSet", Namespace: namespace, Name: name + "-other-6d4c"},
			"FailedCreate", "of another controller")
		warn(ctx, corev1.ObjectReference{Kind: "ReplicaSet", Namespace: namespace, Name: name + "-6d4c"}, "FailedCreate",
			`Error creating: pods "shop-connector-6d4c-x7k2p" is forbidden: exceeded quota`)
		Eventually(readyCondition).WithArguments(ctx, shop).Should(HaveField("Reason", "Starting"))
		isAfter(ctx, "PodsRefused", "x7k2p", "exceeded quota")
		staysAsIs(ctx)

		says(ctx, shop, func(d *appsv1.Deployment) {
			d.Status.Conditions = append(d.Status.Conditions, appsv1.DeploymentCondition{
				Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "denied the request: policy",
			})
		})
		Eventually(readyCondition).WithArguments(ctx, shop).
			Should(HaveField("Message", "The cluster refuses the pod: denied the request: policy"))
		Expect(condition(ctx, shop, v1alpha1.ConditionStalled)).To(HaveField("Reason", "PodsRefused"))
		before := asked.Load()
		staysAsIs(ctx)
		Expect(asked.Load()).To(Equal(before), "events are not read where the Deployment says why")
	})

	It("says less where the operator may not read events", func(ctx context.Context) {
		newPod(ctx, shop)
		startsAgain(ctx)
		op.inject(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
			if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/events") {
				return turnAway(req, http.StatusForbidden, metav1.StatusReasonForbidden, ""), nil
			}
			return next.RoundTrip(req)
		})
		isAfter(ctx, "Unavailable", "see its events and logs")
		Expect(op.log.lines("needs the right to list events")).NotTo(BeEmpty())
	})
})

// wasRolledOut is a Deployment as its controller leaves it after a roll-out.
func wasRolledOut(d *appsv1.Deployment) {
	rolledOut(d)
	d.Status.Conditions = []appsv1.DeploymentCondition{
		{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
		{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()},
	}
}

// isDown is a Deployment that lost its pod a moment ago, and has a number of others.
func isDown(pods int32) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		wasRolledOut(d)
		d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.ReadyReplicas, d.Status.AvailableReplicas = pods, pods, 0, 0
		d.Status.Conditions[1].Status = corev1.ConditionFalse
	}
}

// onNode binds a pod, and writes what is said of it there.
func onNode(ctx context.Context, pod *corev1.Pod, change func(*corev1.Pod)) {
	GinkgoHelper()
	binding := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "node-7"}}
	Expect(k8s.SubResource("binding").Create(ctx, pod, binding)).To(Succeed())
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
	change(pod)
	Expect(k8s.Status().Update(ctx, pod)).To(Succeed())
}

// creating is a pod whose volumes are not mounted.
func creating(pod *corev1.Pod) {
	pod.Status.Phase = corev1.PodPending
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: children.ContainerName, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}},
	}}
}

// lost is a pod that ran, as the cluster leaves it when its node no longer answers.
func lost(pod *corev1.Pod) {
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodReady, Status: corev1.ConditionFalse},
		{Type: corev1.ContainersReady, Status: corev1.ConditionTrue},
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: children.ContainerName, Ready: true, Started: new(true), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}
}

func podOf(pod *corev1.Pod) corev1.ObjectReference {
	return corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}
}

// warn records an event as the kubelet and the controllers do, in the older API.
func warn(ctx context.Context, of corev1.ObjectReference, reason, message string) {
	GinkgoHelper()
	Expect(k8s.Create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: of.Namespace, GenerateName: of.Name + "."}, InvolvedObject: of,
		Type: corev1.EventTypeWarning, Reason: reason, Message: message, LastTimestamp: metav1.Now(),
		Source: corev1.EventSource{Component: "kubelet"},
	})).To(Succeed())
}
