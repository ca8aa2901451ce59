package controllers_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// history is every version of a namespace's resources, as a watch from the
// namespace's beginning on has seen them.
type history struct {
	mu       sync.Mutex
	versions []*v1alpha1.ChannelConnector
	ended    chan struct{}
}

var histories sync.Map // of *history by namespace

// record watches a namespace until the spec ends, and then judges every version.
func record(ctx context.Context, namespace string) {
	GinkgoHelper()
	list := &v1alpha1.ChannelConnectorList{}
	Expect(k8s.List(ctx, list, client.InNamespace(namespace))).To(Succeed())
	watcher, err := k8s.Watch(context.WithoutCancel(ctx), &v1alpha1.ChannelConnectorList{}, client.InNamespace(namespace),
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}})
	Expect(err).NotTo(HaveOccurred())
	h := &history{ended: make(chan struct{})}
	histories.Store(namespace, h)
	go h.follow(watcher)
	DeferCleanup(func() {
		Expect(h.ended).NotTo(BeClosed(), "the watch was broken off")
		watcher.Stop()
		<-h.ended
		Expect(h.faults()).To(BeEmpty(), "what breaks the rules of kstatus")
	})
}

func (h *history) follow(watcher watch.Interface) {
	defer close(h.ended)
	for event := range watcher.ResultChan() {
		if c, ok := event.Object.(*v1alpha1.ChannelConnector); ok && event.Type != watch.Deleted {
			h.mu.Lock()
			h.versions = append(h.versions, c)
			h.mu.Unlock()
		}
	}
}

// seen returns the versions of one resource so far.
func seen(namespace, name string) []*v1alpha1.ChannelConnector {
	found, ok := histories.Load(namespace)
	if !ok {
		return nil
	}
	h, _ := found.(*history)
	h.mu.Lock()
	defer h.mu.Unlock()
	var versions []*v1alpha1.ChannelConnector
	for _, c := range h.versions {
		if c.Name == name {
			versions = append(versions, c)
		}
	}
	return versions
}

// readiness returns the distinct values of Ready that a resource went through:
// status and reason.
func readiness(namespace, name string) []string {
	var all []string
	for _, c := range seen(namespace, name) {
		if ready := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
			all = append(all, string(ready.Status)+" "+ready.Reason)
		}
	}
	return slices.Compact(all)
}

func (h *history) faults() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var faults []string
	before := map[string]*v1alpha1.ChannelConnector{}
	for _, c := range h.versions {
		for _, fault := range slices.Concat(statusFaults(c), transitionFaults(before[string(c.UID)], c)) {
			faults = append(faults, fmt.Sprintf("%s at %s: %s", c.Name, c.ResourceVersion, fault))
		}
		before[string(c.UID)] = c
	}
	return faults
}

// statusFaults says what of a status kubectl wait, Argo CD or Flux would get
// wrong.
func statusFaults(c *v1alpha1.ChannelConnector) []string {
	if c.Status.ObservedGeneration == 0 && len(c.Status.Conditions) == 0 {
		return nil // not seen by an operator yet
	}
	var faults []string
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	is := func(kind string) metav1.ConditionStatus {
		if found := meta.FindStatusCondition(c.Status.Conditions, kind); found != nil {
			return found.Status
		}
		return ""
	}
	ready, reconciling, stalled := is(v1alpha1.ConditionReady), is(v1alpha1.ConditionReconciling), is(v1alpha1.ConditionStalled)
	fault(ready == "", "there is no Ready")
	fault(reconciling != "" && reconciling != metav1.ConditionTrue, "Reconciling is %s", reconciling)
	fault(stalled != "" && stalled != metav1.ConditionTrue, "Stalled is %s", stalled)
	fault(reconciling != "" && stalled != "", "Reconciling and Stalled are there together")
	fault(ready == metav1.ConditionTrue && reconciling+stalled != "", "Ready is True beside Reconciling or Stalled")
	fault(ready != metav1.ConditionTrue && reconciling+stalled == "", "Ready is %s without Reconciling or Stalled", ready)
	fault(c.Status.ObservedGeneration > c.Generation, "observedGeneration %d is ahead of %d", c.Status.ObservedGeneration, c.Generation)
	fault(!slices.IsSortedFunc(c.Status.Conditions, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) }), "conditions are not sorted")
	for _, found := range c.Status.Conditions {
		fault(found.Message == "", "%s has no message", found.Type)
		fault(found.ObservedGeneration != c.Status.ObservedGeneration, "%s is about generation %d, the status about %d", found.Type, found.ObservedGeneration, c.Status.ObservedGeneration)
	}
	return faults
}

// transitionFaults says what of a change of a status is wrong. before is nil for
// the first version.
func transitionFaults(before, after *v1alpha1.ChannelConnector) []string {
	if before == nil {
		return nil
	}
	var faults []string
	if after.Status.ObservedGeneration < before.Status.ObservedGeneration {
		faults = append(faults, "observedGeneration goes back")
	}
	for _, was := range before.Status.Conditions {
		is := meta.FindStatusCondition(after.Status.Conditions, was.Type)
		if is != nil && is.Status == was.Status && !is.LastTransitionTime.Equal(&was.LastTransitionTime) {
			faults = append(faults, was.Type+" has another time of transition without one")
		}
	}
	return faults
}
