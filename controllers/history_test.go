package controllers_test

import (
	"context"
	"fmt"
	"slices"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/status/statustest"
	"xbot.a4b.vn/channel-connector/test/kit/health"
)

// history is every version of a namespace's resources, as a watch from the namespace's beginning on has seen them.
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

// readiness returns the distinct values of Ready that a resource went through: status and reason.
func readiness(namespace, name string) []string {
	var all []string
	for _, c := range seen(namespace, name) {
		if ready := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
			all = append(all, string(ready.Status)+" "+ready.Reason)
		}
	}
	return slices.Compact(all)
}

// onceReady matches the readiness of a resource that became Ready and stayed so. The first status that gets through may
// already say it.
var onceReady = Or(Equal([]string{"False Starting", "True Ready"}), Equal([]string{"True Ready"}))

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

// statusFaults says what of a status kubectl wait, Argo CD or Flux would get wrong.
func statusFaults(c *v1alpha1.ChannelConnector) []string {
	wrong := health.Check(c)
	if len(c.Status.Conditions) > 0 { // an operator has seen it
		wrong = append(wrong, statustest.Check(c)...)
	}
	return wrong
}

// transitionFaults says what of a change of a status is wrong. before is nil for the first version.
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
