package controllers_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// elected is an operator that works only while it holds the Lease "operator" of its namespace, and that does not
// release it when it ends.
func elected(s *setup) {
	s.manage = func(o *ctrl.Options) {
		o.LeaderElection, o.LeaderElectionID, o.LeaderElectionNamespace = true, "operator", s.Namespaces[0]
		o.LeaseDuration, o.RenewDeadline, o.RetryPeriod = new(6*time.Second), new(4*time.Second), new(500*time.Millisecond)
	}
}

// holder is who holds the Lease of a namespace; empty while nobody does.
func holder(ctx context.Context, namespace string) string {
	lease := &coordinationv1.Lease{}
	if k8s.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "operator"}, lease) != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// alone reports of two operators whether the second began to write only after the first had ended.
type alone struct {
	first      *operator
	atHandover atomic.Int64
}

// watch is a wire's fault that notes how much the first one wrote before the second one's first write.
func (a *alone) watch(req *http.Request, next http.RoundTripper) (*http.Response, error) {
	if isWrite(req) {
		a.atHandover.CompareAndSwap(0, 1+a.first.writes.Load())
	}
	return next.RoundTrip(req)
}

func (a *alone) expect() {
	GinkgoHelper()
	Expect(a.atHandover.Load()).To(Equal(1+a.first.writes.Load()), "%v", a.first.written())
}

var _ = Describe("A change of the leader", func() {
	var namespace string
	BeforeEach(func(ctx context.Context) {
		namespace = newNamespace(ctx)
		newSecrets(ctx, namespace)
	})
	// two starts a leader, and another one that waits.
	two := func(ctx context.Context, leaders fault) (leader, next *operator, handover *alone) {
		GinkgoHelper()
		leader = startOperator(namespace, elected, func(s *setup) { s.wire.inject(leaders) })
		Eventually(holder).WithArguments(ctx, namespace).ShouldNot(BeEmpty())
		handover = &alone{first: leader}
		next = startOperator(namespace, elected, func(s *setup) { s.wire.inject(handover.watch) })
		return leader, next, handover
	}

	It("that was killed in the middle of a pass: the next one does the rest, once its Lease has run out", func(ctx context.Context) {
		var dead atomic.Bool
		afterThree, cut := cutAfter(3)
		leader, next, handover := two(ctx, func(req *http.Request, rest http.RoundTripper) (*http.Response, error) {
			if dead.Load() {
				return nil, errCut
			}
			answer, err := afterThree(req, rest)
			dead.Store(cut())
			return answer, err
		})
		first := holder(ctx, namespace)
		shop := created(ctx, newConnector(namespace, "shop"))
		Eventually(cut).Should(BeTrue())
		leader.stop()

		haveChildren(ctx, shop)
		becomesReady(ctx, shop)
		Expect(holder(ctx, namespace)).NotTo(Equal(first))
		staysSettled(ctx, next, shop)
		handover.expect()
		for _, write := range leader.written() {
			Expect(next.written()).NotTo(ContainElement(write), "it was written twice")
		}
	})

	It("that lost its Lease: it ends before the next one begins", func(ctx context.Context) {
		var lost atomic.Bool
		leader, next, handover := two(ctx, func(req *http.Request, rest http.RoundTripper) (*http.Response, error) {
			if lost.Load() && strings.Contains(req.URL.Path, "/leases/") {
				return nil, errCut
			}
			return rest.RoundTrip(req)
		})
		shop := created(ctx, newConnector(namespace, "shop"))
		becomesReady(ctx, shop)
		Expect(next.writes.Load()).To(BeZero(), "%v", next.written())

		lost.Store(true)
		round := int32(0)
		Eventually(func() int64 { // it has something to do all the time
			round++
			updated(ctx, shop, func(c *v1alpha1.ChannelConnector) { c.Spec.Delivery.Concurrency = 10 + round%2 })
			return next.writes.Load()
		}).ShouldNot(BeZero())
		Eventually(leader.ended).Should(BeClosed())
		Expect(leader.err).To(MatchError(ContainSubstring("leader election lost")))
		becomesReady(ctx, shop)
		staysSettled(ctx, next, shop)
		handover.expect()
	})
})
