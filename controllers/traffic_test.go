package controllers_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gstruct"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/report"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// reporter plays the pods of a connector: it serves a report on an address of this machine that is the spec's own.
type reporter struct {
	server *http.Server

	mu     sync.Mutex
	told   report.Report
	tokens map[string]bool
	asked  int
}

// addresses numbers the loopback addresses of the reporters.
var addresses byte = 20

// reports starts a pod of the resource that tells of its traffic.
func reports(ctx context.Context, c *v1alpha1.ChannelConnector) *reporter {
	GinkgoHelper()
	addresses++
	ip := net.IPv4(127, 9, byte(GinkgoParallelProcess()), addresses).String()
	r := &reporter{tokens: map[string]bool{}, told: report.Report{
		Began: time.Now().Add(-time.Minute), Inbox: report.Inbox{State: report.InboxOK, LimitBytes: 1 << 30},
		Channels: []report.Channel{{
			Name: c.Namespace + "/" + c.Name, LastAuthentic: time.Now(), LastEvent: time.Now(),
			Signature: report.Signature{Mode: "Enforce", Keys: []report.Key{{Name: "shop-zalo/oa-secret-key", ID: "k1", LastUsed: time.Now()}}},
			Delivery:  report.Delivery{LastTaken: time.Now()},
		}},
	}}
	r.server = &http.Server{Handler: r, ReadHeaderTimeout: time.Second}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(ip, strconv.Itoa(render.PortProbes)))
	Expect(err).NotTo(HaveOccurred())
	go func() { _ = r.server.Serve(listener) }()
	DeferCleanup(r.server.Close)
	runs(ctx, newPod(ctx, c), ip)
	return r
}

// runs gives a pod an address.
func runs(ctx context.Context, pod *corev1.Pod, ip string) {
	GinkgoHelper()
	pod.Status.Phase, pod.Status.PodIP, pod.Status.PodIPs = corev1.PodRunning, ip, []corev1.PodIP{{IP: ip}}
	Expect(k8s.Status().Update(ctx, pod)).To(Succeed())
}

// ServeHTTP answers as the connector does.
func (r *reporter) ServeHTTP(w http.ResponseWriter, call *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	r.tokens[strings.TrimPrefix(call.Header.Get("Authorization"), "Bearer ")] = true
	_ = json.NewEncoder(w).Encode(r.told) //nolint:errchkjson // a caller that does not take it asks again
}

// tells changes what the connector tells.
func (r *reporter) tells(change func(*report.Report, *report.Channel)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.told, &r.told.Channels[0])
}

// asks waits until the connector was asked so often more.
func (r *reporter) asks(times int) {
	GinkgoHelper()
	count := func() int {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.asked
	}
	Eventually(count).Should(BeNumerically(">=", count()+times))
}

// often asks each connector each second.
func often(s *setup) { s.ReportInterval = time.Second }

// conditionIs matches a condition with a status and reason, whose message has all the words.
func conditionIs(status, reason string, words ...string) OmegaMatcher {
	message := make([]OmegaMatcher, len(words))
	for i, w := range words {
		message[i] = ContainSubstring(w)
	}
	return gstruct.PointTo(gstruct.MatchFields(gstruct.IgnoreExtras, gstruct.Fields{
		"Status": BeEquivalentTo(status), "Reason": Equal(reason), "Message": And(message...),
	}))
}

// eventsWith are the notes of the events with a reason.
func eventsWith(ctx context.Context, namespace, reason string) func(Gomega) []string {
	return func(g Gomega) (notes []string) {
		all, err := events(ctx, namespace)
		g.Expect(err).NotTo(HaveOccurred())
		for _, e := range all {
			if e.Reason == reason {
				notes = append(notes, occurred(e)...)
			}
		}
		return notes
	}
}

// occurred is an event's note, as often as it was recorded.
func occurred(e eventsv1.Event) []string {
	notes := []string{e.Note}
	if e.Series != nil {
		for range e.Series.Count - 1 {
			notes = append(notes, e.Note)
		}
	}
	return notes
}

var _ = Describe("The traffic of a connector", func() {
	var (
		namespace string
		op        *operator
		c         *v1alpha1.ChannelConnector
		pod       *reporter
	)
	BeforeEach(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
		op = startOperator(namespace, often)
		c = created(ctx, newConnector(namespace, "shop"))
		becomesReady(ctx, c)
		pod = reports(ctx, c)
		Eventually(condition).WithArguments(ctx, c, v1alpha1.ConditionDelivering).Should(conditionIs("True", "EventsTaken"))
	})

	It("is asked for with the token of the configuration Secret, which stays", func(ctx context.Context) {
		secret := &corev1.Secret{}
		Expect(k8s.Get(ctx, childKey(c), secret)).To(Succeed())
		token := string(secret.Data[render.FileReportToken])
		Expect(len(token)).To(BeNumerically(">=", 16))
		Expect(string(secret.Data[render.FileName])).NotTo(ContainSubstring(token), "the file names the token's")
		updated(ctx, c, func(c *v1alpha1.ChannelConnector) { c.Spec.Sink.HTTP.URL = "http://other.chat.svc/" })
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, childKey(c), secret)).To(Succeed())
			g.Expect(string(secret.Data[render.FileName])).To(ContainSubstring("other.chat.svc"))
		}).Should(Succeed())
		Expect(string(secret.Data[render.FileReportToken])).To(Equal(token))
		pod.asks(2)
		pod.mu.Lock()
		defer pod.mu.Unlock()
		Expect(pod.tokens).To(Equal(map[string]bool{token: true}))
	})

	It("shows in conditions, in the status and in one event for each change, and leaves Ready alone", func(ctx context.Context) {
		pod.tells(func(_ *report.Report, ch *report.Channel) {
			ch.Delivery = report.Delivery{Pending: 7, FailingSince: time.Now(), LastError: "connection refused"}
			ch.DeadLetters = report.DeadLetters{Count: 2, LatestReason: "refused", LatestError: "the sink answered 422"}
			ch.Signature.Failed, ch.Signature.FailingSince, ch.Signature.LastFailed = 30, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		})
		Eventually(condition).WithArguments(ctx, c, v1alpha1.ConditionDelivering).
			Should(conditionIs("False", "SinkFailing", "connection refused", "About 7 events wait"))
		Expect(condition(ctx, c, v1alpha1.ConditionDeadLetters)).
			To(conditionIs("True", "EventsGivenUp", "About 2 events", "the sink answered 422"))
		Expect(condition(ctx, c, v1alpha1.ConditionSignatureVerified)).To(conditionIs("False", "WrongSecretSuspected", "OA secret key"))
		Expect(condition(ctx, c, v1alpha1.ConditionReceiving)).To(conditionIs("True", "CallsReceived"))
		Expect(readyCondition(ctx, c)).To(beTrue)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(c), c)).To(Succeed())
		Expect(c.Status.Traffic.Pending).To(BeEquivalentTo(7))
		Expect(c.Status.Traffic.LastEventTime).NotTo(BeNil())
		for _, reason := range []string{"SinkFailing", "EventsGivenUp", "WrongSecretSuspected"} {
			Eventually(eventsWith(ctx, namespace, reason)).Should(HaveLen(1))
		}
		pod.asks(3)
		for _, reason := range []string{"SinkFailing", "EventsGivenUp", "WrongSecretSuspected"} {
			Expect(eventsWith(ctx, namespace, reason)(NewGomega(func(string, ...int) {}))).To(HaveLen(1))
		}
	})

	It("makes the resource fail when its keys never verified a call", func(ctx context.Context) {
		failing := func(_ *report.Report, ch *report.Channel) {
			ch.Signature.Keys[0].ID, ch.Signature.Keys[0].LastUsed = "k2", time.Time{}
			ch.Signature.Failed, ch.Signature.FailingSince, ch.Signature.LastFailed = 20, time.Now().Add(-11*time.Minute), time.Now()
		}
		pod.tells(failing)
		Eventually(readyCondition).WithArguments(ctx, c).Should(conditionIs("False", "WrongSecretSuspected", "No call ever verified"))
		Expect(condition(ctx, c, v1alpha1.ConditionStalled)).To(conditionIs("True", "WrongSecretSuspected"))
		Eventually(eventsWith(ctx, namespace, "WrongSecretSuspected")).ShouldNot(BeEmpty())
		By("another operator, and another connector's process, which know less")
		op.stop()
		pod.tells(func(_ *report.Report, ch *report.Channel) {
			ch.Signature.Failed, ch.Signature.FailingSince, ch.Signature.LastFailed = 0, time.Time{}, time.Time{}
		})
		op = startOperator(namespace, often)
		pod.asks(3)
		Expect(readyCondition(ctx, c)).To(conditionIs("False", "WrongSecretSuspected"))
		By("a call that verifies")
		pod.tells(func(_ *report.Report, ch *report.Channel) { ch.Signature.Keys[0].LastUsed = time.Now() })
		Eventually(readyCondition).WithArguments(ctx, c).Should(beTrue)
	})

	It("makes the resource fail when the inbox takes nothing for 2 minutes", func(ctx context.Context) {
		pod.tells(func(r *report.Report, _ *report.Channel) {
			r.Inbox = report.Inbox{State: report.InboxFull, Since: time.Now(), Error: "the inbox is full"}
		})
		Eventually(condition).WithArguments(ctx, c, v1alpha1.ConditionInboxHealthy).
			Should(conditionIs("False", "Full", "the inbox is full", "503"))
		Expect(readyCondition(ctx, c)).To(beTrue)
		By("two minutes later, which the status counts, so that an operator that restarts goes on counting")
		op.stop()
		later := &ahead{}
		later.put(3 * time.Minute)
		op = startOperator(namespace, often, func(s *setup) { s.Clock = later })
		Eventually(readyCondition).WithArguments(ctx, c).Should(conditionIs("False", "InboxFull", "InboxHealthy says why"))
		pod.tells(func(r *report.Report, _ *report.Channel) { r.Inbox = report.Inbox{State: report.InboxOK} })
		Eventually(readyCondition).WithArguments(ctx, c).Should(beTrue)
	})

	It("writes nothing while nothing changes, nor when the operator restarts", func(ctx context.Context) {
		settle(op)
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(c), c)).To(Succeed())
		pod.asks(4)
		op.stop()
		op = startOperator(namespace, often)
		pod.asks(4)
		live := &v1alpha1.ChannelConnector{}
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(c), live)).To(Succeed())
		Expect(live.ResourceVersion).To(Equal(c.ResourceVersion))
		Expect(op.written()).To(BeEmpty())
	})

	It("is unknown once it could not be read for long, and the message says why", func(ctx context.Context) {
		Expect(pod.server.Close()).To(Succeed())
		Eventually(condition).WithArguments(ctx, c, v1alpha1.ConditionDelivering).
			Should(conditionIs("Unknown", "ConnectorNotRead", "refused", "9090", "NetworkPolicy"))
		Expect(readyCondition(ctx, c)).To(beTrue)
	})

	It("is judged again soon after the configuration has changed", func(ctx context.Context) {
		updated(ctx, c, func(c *v1alpha1.ChannelConnector) { c.Spec.Delivery.Paused = true })
		Eventually(condition).WithArguments(ctx, c, v1alpha1.ConditionDelivering).Should(conditionIs("False", "Paused", "delivery.paused"))
		Expect(readyCondition(ctx, c)).To(beTrue)
	})
})
