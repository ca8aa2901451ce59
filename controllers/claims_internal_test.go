package controllers

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// labelsOf lets an object claim its labels.
func labelsOf(o client.Object) []string {
	if o == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(o.GetLabels()))
}

// TestClaims: after any events, the oldest claimant of each thing is known, those that an event concerns are told of it,
// and nothing is kept of who is gone.
func TestClaims(t *testing.T) {
	things := []string{"a", "b", "c"}
	for seed := range uint64(200) {
		random, c, there := rand.New(rand.NewPCG(seed, 0)), newClaims[string](), map[client.ObjectKey]client.Object{}
		answers := func() map[string]client.ObjectKey {
			all := map[string]client.ObjectKey{}
			for key, o := range there {
				for _, thing := range labelsOf(o) {
					if oldest := c.oldest(thing, key); oldest != nil {
						all[fmt.Sprint(key, thing)] = oldest.key
					}
				}
			}
			return all
		}
		for range 60 {
			o := randomClaimant(random, things)
			key, was := client.ObjectKeyFromObject(o), there[client.ObjectKeyFromObject(o)]
			before, concerned := answers(), keys{}
			if was != nil && random.IntN(2) == 0 {
				delete(there, key)
				c.change(claimantOf(was), nil, labelsOf(was), nil, concerned)
			} else {
				there[key] = o
				c.change(claimantOf(was), claimantOf(o), labelsOf(was), labelsOf(o), concerned)
			}
			after := answers()
			if diff := cmp.Diff(judged(there), after); diff != "" {
				t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
			}
			for other, o := range there {
				for _, thing := range labelsOf(o) {
					if at := fmt.Sprint(other, thing); other != key && before[at] != after[at] && !concerned[other] {
						t.Fatalf("seed %d: %s is not told of %s", seed, other, thing)
					}
				}
			}
		}
		for _, o := range there {
			c.change(claimantOf(o), nil, labelsOf(o), nil, keys{})
		}
		if len(c.by) > 0 {
			t.Errorf("seed %d: %v is kept", seed, c.by)
		}
	}
}

func randomClaimant(random *rand.Rand, things []string) *v1alpha1.ChannelConnector {
	o := &v1alpha1.ChannelConnector{ObjectMeta: metav1.ObjectMeta{
		Namespace: "chat", Name: fmt.Sprint("shop-", random.IntN(6)), CreationTimestamp: metav1.Unix(int64(random.IntN(3)), 0),
		Labels: map[string]string{},
	}}
	for _, thing := range things {
		if random.IntN(2) == 0 {
			o.Labels[thing] = ""
		}
	}
	return o
}

// judged are the oldest other claimants by a look at everyone.
func judged(there map[client.ObjectKey]client.Object) map[string]client.ObjectKey {
	all := map[string]client.ObjectKey{}
	for key, o := range there {
		for _, thing := range labelsOf(o) {
			var oldest *claimant
			for other, o := range there {
				if who := claimantOf(o); other != key && slices.Contains(labelsOf(o), thing) && (oldest == nil || byAge(who, oldest) < 0) {
					oldest = who
				}
			}
			if oldest != nil {
				all[fmt.Sprint(key, thing)] = oldest.key
			}
		}
	}
	return all
}

// equals are so many resources with the same keys and the most addresses, from the oldest on.
func equals(t *testing.T, n int) (all []*v1alpha1.ChannelConnector) {
	t.Helper()
	c := connectortest.New(t)
	c.Generation = 1
	c.Spec.Webhook.Path = "/calls"
	c.Spec.ZaloOA.DomainVerification = &v1alpha1.DomainVerification{}
	for i := range 16 {
		c.Spec.ZaloOA.DomainVerification.Codes = append(c.Spec.ZaloOA.DomainVerification.Codes, fmt.Sprint("code-", i))
	}
	c.Spec.Exposure = &v1alpha1.Exposure{HTTPRoute: &v1alpha1.HTTPRouteExposure{}}
	for i := range 8 {
		c.Spec.Exposure.HTTPRoute.Hostnames = append(c.Spec.Exposure.HTTPRoute.Hostnames, v1alpha1.Hostname(fmt.Sprintf("h%d.example.com", i)))
	}
	for i := range n {
		each := c.DeepCopy()
		each.Name, each.UID, each.CreationTimestamp = fmt.Sprint("shop-", i), types.UID(fmt.Sprint(i)), metav1.Unix(int64(i), 0)
		all = append(all, each)
	}
	return all
}

// TestEqualResources: however many resources are the same, one that comes or goes concerns the others only if it is one
// of the two oldest, and a change of something else nobody.
func TestEqualResources(t *testing.T) {
	const n = 1000
	all, c := equals(t, n), newRegister(0)
	concerned := 0
	for _, each := range all {
		concerned += len(c.change(nil, each))
	}
	if concerned != 1 { // the oldest, when the next one comes
		t.Errorf("%d were concerned as they came", concerned)
	}
	if got := len(c.addresses.by); got != len(addressesOf(all[0])) || got != 8*18 {
		t.Errorf("%d addresses are known", got)
	}
	edited := all[0].DeepCopy()
	edited.Generation, edited.Spec.Delivery.Paused = 2, true
	for what, got := range map[string]int{
		"a change of something else": len(c.change(all[0], edited)),
		"a change of the status":     len(c.change(edited, edited.DeepCopy())),
		"the end of a young one":     len(c.change(all[n/2], nil)),
	} {
		if got != 0 {
			t.Errorf("%s concerns %d", what, got)
		}
	}
	moved := edited.DeepCopy()
	moved.Generation, moved.Spec.Webhook.Path = 3, "/others"
	if got := len(c.change(edited, moved)); got != n-2 {
		t.Errorf("another path of the oldest concerns %d", got)
	}
	again := all[2].DeepCopy()
	again.UID, again.Spec.Webhook.Path = "another", "/again"
	c.change(all[2], again)
	if len(c.addresses.by[address{"h0.example.com", "/again"}]) != 1 {
		t.Error("a resource that was created again under its name claims what it claimed before")
	}
	written := again.DeepCopy()
	written.Spec.Webhook.Path = "/status"
	c.change(again, written)
	if len(c.addresses.by[address{"h0.example.com", "/status"}]) != 0 {
		t.Error("a change that leaves the generation is taken in")
	}
	p := &pass{reconciler: &reconciler{register: c}, connector: all[1], key: client.ObjectKeyFromObject(all[1])}
	for _, taken := range p.taken() {
		if taken.Path == "/calls" || taken.By.Name != "shop-0" {
			t.Errorf("%+v", taken)
		}
	}
}

// TestClaimedNames: everyone who names a Secret is known, and one that comes or goes concerns nobody.
func TestClaimedNames(t *testing.T) {
	c, all := newNames[namedObject](), equals(t, 3)
	change := func(was, is client.Object) {
		concerned := keys{}
		if c.change(claimantOf(was), claimantOf(is), claimedBy(was).objects, claimedBy(is).objects, concerned); len(concerned) > 0 {
			t.Errorf("%v are concerned", concerned)
		}
	}
	for _, each := range all {
		change(nil, each)
	}
	secret := namedObject{"chat", render.Object{Kind: render.KindSecret, Name: "shop-zalo"}}
	if got := len(c.all(secret)); got != 3 {
		t.Errorf("%d name it", got)
	}
	other := all[0].DeepCopy()
	other.Generation, other.Spec.ZaloOA.Signature.SecretKeyRefs[0].Name = 2, "other"
	change(all[0], other)
	change(all[1], nil)
	if got := c.all(secret); len(got) != 1 || got[0].Name != "shop-2" {
		t.Errorf("%v name it", got)
	}
}

// counted is a queue that counts what is added.
type counted struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
	added int
}

func (q *counted) Add(request reconcile.Request) {
	q.added++
	q.TypedRateLimitingInterface.Add(request)
}

// TestClaimsAtTheStart: what is listed is known before anyone has a pass, so that nobody need be woken for another.
func TestClaimsAtTheStart(t *testing.T) {
	limiter := workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, time.Second)
	q := &counted{TypedRateLimitingInterface: workqueue.NewTypedRateLimitingQueue(limiter)}
	defer q.ShutDown()
	h, all := newRegister(0).handler(), equals(t, 3)
	for _, each := range slices.Backward(all) { // each is the oldest so far
		h.Create(t.Context(), event.CreateEvent{Object: each, IsInInitialList: true}, q)
	}
	if q.added != len(all) {
		t.Errorf("%d passes are due", q.added)
	}
	q.added = 0
	if h.Delete(t.Context(), event.DeleteEvent{Object: all[0]}, q); q.added != len(all) {
		t.Errorf("%d passes are due when the oldest goes, its own among them", q.added)
	}
}
