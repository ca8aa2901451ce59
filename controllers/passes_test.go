package controllers_test

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// What controller-runtime says at the beginning of a pass, and at the end of one after which nothing is due. Every
// other end means that the resource is looked at again: after an error, after a conflict, or at the time that the pass
// asked for.
const (
	passBegins   = "Reconciling"
	passIsTheEnd = "Reconcile successful"
	// passLooksAgain ends one after which something is due in a time. Nothing is due for a spec if that is long after it:
	// events are read again, Gateways, or the time of a certificate.
	passLooksAgain = "Reconcile done, requeueing after "
)

// longAfter is longer than any spec.
const longAfter = 5 * time.Minute

// levelOfPasses is the level at which controller-runtime tells of each pass.
const levelOfPasses = slog.Level(-5)

// passLog is what an operator says of its passes. It is the only place that knows of a pass that is due later: the
// metrics of a queue count only what is due now.
type passLog struct {
	mu sync.Mutex
	// last is what was said last of each resource.
	last         map[client.ObjectKey]string
	begun, ended map[client.ObjectKey]int
}

func newPassLog() *passLog {
	return &passLog{last: map[client.ObjectKey]string{}, begun: map[client.ObjectKey]int{}, ended: map[client.ObjectKey]int{}}
}

func (l *passLog) note(resource client.ObjectKey, message string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last[resource] = message
	if message == passBegins {
		l.begun[resource]++
	} else {
		l.ended[resource]++
	}
}

// due says which resources are being looked at, or will be without an event.
func (l *passLog) due() (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for resource, last := range l.last {
		again, looksAgain := strings.CutPrefix(last, passLooksAgain)
		after, _ := time.ParseDuration(again)
		if last != passIsTheEnd && (!looksAgain || after < longAfter) {
			all = append(all, resource.String()+": "+last)
		}
	}
	return all
}

// count is the number of passes that have begun, and that have ended.
func (l *passLog) count(resource client.ObjectKey) (begun, ended int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begun[resource], l.ended[resource]
}

// total is the number of passes that have begun, over all resources.
func (l *passLog) total() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, begun := range l.begun {
		n += begun
	}
	return n
}

// passHandler reads the log of one resource's passes into a passLog.
type passHandler struct {
	log      *passLog
	resource client.ObjectKey
	inPass   bool
}

// Enabled is true for the level of passes, whatever the other handlers want.
func (h passHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= levelOfPasses }

// Handle takes what the controller itself says: the reconciler's own lines are no end of a pass.
func (h passHandler) Handle(_ context.Context, record slog.Record) error {
	if h.inPass && (record.Level == levelOfPasses || record.Message == "Reconciler error") {
		h.log.note(h.resource, record.Message)
	}
	return nil
}

// WithAttrs notes of which resource's pass the lines are.
func (h passHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, attr := range attrs {
		switch attr.Key {
		case "namespace":
			h.resource.Namespace = attr.Value.String()
		case "name":
			h.resource.Name = attr.Value.String()
		case "reconcileID":
			h.inPass = true
		}
	}
	return h
}

// WithGroup is not used by logr.
func (h passHandler) WithGroup(string) slog.Handler { return h }

// metric is the sum of a metric over its labels.
func metric(name string) float64 {
	GinkgoHelper()
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	total := 0.0
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return total
}

var touched atomic.Int64

// forcePass lets the operator look at a resource once more, and waits until it has: for the end of a pass that began
// after the change.
func (o *operator) forcePass(ctx context.Context, c *v1alpha1.ChannelConnector) {
	GinkgoHelper()
	key := client.ObjectKeyFromObject(c)
	before, _ := o.passes.count(key)
	annotated(ctx, c.DeepCopy(), map[string]string{"example.com/touched": strconv.FormatInt(touched.Add(1), 10)})
	Eventually(func() bool {
		begun, ended := o.passes.count(key)
		return begun > before && ended > before
	}).WithPolling(pause / 10).Should(BeTrue())
}

// settle waits until nothing is due: the last pass of each resource has ended and asked for no other one, and no event
// causes one for a while, which is for what may still be on its way from the API server. That nothing was written for a
// moment would not do: a pod's next touch, the retry of a conflict or of an error may be due later.
func settle(op *operator) int64 {
	GinkgoHelper()
	var writes int64
	Eventually(func(g Gomega) {
		begun := op.passes.total()
		g.Expect(op.passes.due()).To(BeEmpty())
		writes = op.writes.Load()
		g.Consistently(op.passes.total, "400ms").Should(Equal(begun))
	}).Should(Succeed())
	return writes
}

// staysSettled waits until nothing is due, and expects that one more pass of each resource writes nothing.
func staysSettled(ctx context.Context, op *operator, all ...*v1alpha1.ChannelConnector) {
	GinkgoHelper()
	writes := settle(op)
	for _, c := range all {
		op.forcePass(ctx, c)
	}
	Expect(op.writes.Load()).To(Equal(writes), "%v", op.written())
}
