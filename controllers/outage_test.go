package controllers_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// recovers is how long it may take until everything is tried again after an outage: watches and passes wait up to a
// minute between two attempts.
const recovers = 3 * time.Minute

// outage is an API server that is away: what is asked is refused, and what is open breaks off.
type outage struct {
	mu   sync.Mutex
	away bool
	open []context.CancelFunc
}

func (o *outage) fault(req *http.Request, next http.RoundTripper) (*http.Response, error) {
	ctx, breakOff := context.WithCancel(req.Context())
	o.mu.Lock()
	away := o.away
	o.open = append(o.open, breakOff)
	o.mu.Unlock()
	if away {
		return nil, fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	}
	return next.RoundTrip(req.WithContext(ctx))
}

func (o *outage) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away = true
	for _, breakOff := range o.open {
		breakOff()
	}
	o.open = nil
}

func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.away = false
}

// duringWrite begins the outage at the n-th write of one resource's children.
func (o *outage) duringWrite(n int64, name string) fault {
	var writes atomic.Int64
	return func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		if isWrite(req) && strings.HasSuffix(req.URL.Path, "/"+name+"-connector") && writes.Add(1) == n {
			o.begin()
		}
		return o.fault(req, next)
	}
}

// overloaded is an API server that is slow, turns some requests away, and does some without the answer getting through.
func overloaded(seed int64) fault {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	draw := func() (time.Duration, int) {
		mu.Lock()
		defer mu.Unlock()
		return time.Duration(200+random.IntN(300)) * time.Millisecond, random.IntN(10)
	}
	return func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		delay, chance := draw()
		select {
		case <-time.After(delay):
		case <-req.Context().Done():
			return nil, req.Context().Err()
		}
		switch {
		case chance == 0:
			return turnAway(req, http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "1"), nil
		case chance == 1:
			return turnAway(req, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, ""), nil
		case chance == 2 && isWrite(req):
			if answer, err := next.RoundTrip(req); err == nil {
				_ = answer.Body.Close()
			}
			return turnAway(req, http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, ""), nil
		}
		return next.RoundTrip(req)
	}
}

func turnAway(req *http.Request, code int, reason metav1.StatusReason, retryAfter string) *http.Response {
	if req.Body != nil {
		_ = req.Body.Close()
	}
	answer := &http.Response{
		StatusCode: code, Request: req, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(
			strings.NewReader(fmt.Sprintf(`{"apiVersion":"v1","kind":"Status","status":"Failure","code":%d,"reason":%q}`, code, reason))),
	}
	if retryAfter != "" {
		answer.Header.Set("Retry-After", retryAfter)
	}
	return answer
}

var _ = Describe("An API server", func() {
	var namespace string
	BeforeEach(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
	})

	It("that is away for half a minute is waited for, and what happened meanwhile is made good", func(ctx context.Context) {
		server := &outage{}
		op := startOperator(namespace, func(s *setup) { s.wire.inject(server.duringWrite(3, "half-made")) })
		all := map[string]*v1alpha1.ChannelConnector{}
		for _, name := range []string{"drifted", "changed", "deleted"} {
			all[name] = created(ctx, newConnector(namespace, name))
			becomesReady(ctx, all[name])
		}
		settle(op)
		all["half-made"] = created(ctx, newConnector(namespace, "half-made"))
		Eventually(op.log.lines).WithArguments("connection refused").ShouldNot(BeEmpty())

		requests := op.requests.Load()
		Expect(k8s.Delete(ctx, child(ctx, all["drifted"], &corev1.Service{}))).To(Succeed())
		patched(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-zalo"}},
			`{"stringData":{"oa-secret-key":"Hidden0SecretKey9OA"}}`)
		updated(ctx, all["changed"], func(c *v1alpha1.ChannelConnector) { c.Spec.ZaloOA.AppID = "42" })
		Expect(k8s.Delete(ctx, all["deleted"])).To(Succeed())
		all["new"] = created(ctx, newConnector(namespace, "new"))
		Consistently(op.ended, "30s").WithPolling(time.Second).ShouldNot(BeClosed())
		Expect(op.requests.Load()-requests).To(BeNumerically("<", 300), "no hot loop")
		Expect(condition(ctx, all["drifted"], v1alpha1.ConditionReady)).To(beTrue)

		server.end()
		gone := all["deleted"]
		delete(all, "deleted")
		for _, c := range all {
			Eventually(configOf).WithTimeout(recovers).WithArguments(ctx, c).Should(ContainSubstring("Hidden0SecretKey9OA"))
			haveChildren(ctx, c)
			becomesReady(ctx, c)
		}
		Eventually(configOf).WithTimeout(recovers).WithArguments(ctx, all["changed"]).Should(ContainSubstring(`appID: "42"`))
		op.knowsDeleted(ctx, gone)
		staysSettled(ctx, op, slices.Collect(maps.Values(all))...)
	})

	It("that gives a status to another writer first does not bring Ready before its time", func(ctx context.Context) {
		op := startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		becomesReady(ctx, shop)
		settle(op)

		var lost atomic.Bool
		op.inject(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
			if isWrite(req) && strings.HasSuffix(req.URL.Path, "/status") && lost.CompareAndSwap(false, true) {
				return turnAway(req, http.StatusConflict, metav1.StatusReasonConflict, ""), nil
			}
			return next.RoundTrip(req)
		})
		updated(ctx, shop, labelPods)
		Eventually(readiness).WithArguments(namespace, "shop").Should(ContainElement("False RollingOut"))
		Expect(lost.Load()).To(BeTrue())
		for _, c := range seen(namespace, "shop") {
			ready := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady)
			Expect(ready != nil && ready.Status == metav1.ConditionTrue && ready.ObservedGeneration == shop.Generation).To(BeFalse(), "%v", ready)
		}
	})

	It("that refuses in other words each time is asked ever more rarely, and its first words stay", func(ctx context.Context) {
		op := startOperator(namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		becomesReady(ctx, shop)
		settle(op)

		var refusals atomic.Int64
		op.inject(func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
			if !isWrite(req) || !strings.HasSuffix(req.URL.Path, "/deployments/shop-connector") {
				return next.RoundTrip(req)
			}
			answer := turnAway(req, http.StatusForbidden, metav1.StatusReasonForbidden, "")
			answer.Body = io.NopCloser(strings.NewReader(fmt.Sprintf(
				`{"apiVersion":"v1","kind":"Status","status":"Failure","code":403,"reason":"Forbidden","message":"denied, see case %d"}`,
				refusals.Add(1))))
			return answer, nil
		})
		updated(ctx, shop, labelPods)
		const words = `The API server refuses what the operator asks for: apply Deployment "shop-connector": denied, see case 1. ` +
			`The last good configuration keeps serving`
		Eventually(readyCondition).WithArguments(ctx, shop).Should(HaveField("Message", words))
		Eventually(refusals.Load).Should(BeNumerically(">", 3))
		Consistently(refusals.Load, "2s").Should(BeNumerically("<", 20))
		Expect(readyCondition(ctx, shop)).To(HaveField("Message", words))

		op.inject(nil)
		becomesReady(ctx, shop)
	})

	// A new resource is told at once that its first pass failed, and an older one when its passes fail for 5 s, which
	// chance may bring about.
	toldReadiness := func(namespace, name string) []string {
		return slices.Compact(slices.DeleteFunc(readiness(namespace, name), func(said string) bool { return said == "False ApplyFailed" }))
	}

	It("that is overloaded delays everything, and neither doubles nor changes anything", func(ctx context.Context) {
		op := startOperator(namespace, func(s *setup) {
			s.manage = func(o *ctrl.Options) { o.Cache.SyncPeriod = new(2 * time.Second) }
		})
		all := []*v1alpha1.ChannelConnector{created(ctx, newConnector(namespace, "untouched"))}
		becomesReady(ctx, all[0])
		settle(op)

		op.inject(overloaded(GinkgoRandomSeed()))
		for n := range 5 {
			c := newConnector(namespace, fmt.Sprintf("shop-%d", n))
			c.Spec.Webhook.APIKeys = nil
			all = append(all, created(ctx, c))
		}
		for _, c := range all {
			Eventually(condition).WithTimeout(recovers).WithArguments(ctx, c, v1alpha1.ConditionReady).ShouldNot(HaveField("Status", BeEmpty()))
			becomesReady(ctx, c)
		}
		op.inject(nil)
		writes := settle(op)
		for _, c := range all {
			op.forcePass(ctx, c)
			Eventually(toldReadiness).WithArguments(namespace, c.Name).Should(onceReady, c.Name)
			Expect(deploymentOf(ctx, c).Generation).To(BeEquivalentTo(1))
		}
		Expect(op.writes.Load()).To(Equal(writes), "%v", op.written())
		for _, child := range childKinds() {
			kind, err := k8s.GroupVersionKindFor(child)
			Expect(err).NotTo(HaveOccurred())
			list, n := &metav1.PartialObjectMetadataList{}, 6
			list.SetGroupVersionKind(kind)
			if kind.Kind == "Secret" {
				n += 2 + 5 // those of the tenants, and the generated API keys
			}
			Expect(k8s.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
			Expect(list.Items).To(HaveLen(n), kind.Kind)
		}
	})
})
