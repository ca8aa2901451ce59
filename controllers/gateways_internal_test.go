package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// TestGatewaysAreBounded: of the largest Gateways of others no more is remembered than counts.
func TestGatewaysAreBounded(t *testing.T) {
	huge := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "gateways", Name: "huge", Generation: 1}}
	options := map[gatewayv1.AnnotationKey]gatewayv1.AnnotationValue{"example.com/a": gatewayv1.AnnotationValue(strings.Repeat("x", 4<<10))}
	for i := range 64 {
		name := gatewayv1.SectionName(fmt.Sprintf("web-%d", i))
		huge.Spec.Listeners = append(huge.Spec.Listeners, gatewayv1.Listener{
			Name: name, Protocol: gatewayv1.HTTPSProtocolType, Port: 443, TLS: &gatewayv1.ListenerTLSConfig{Options: options},
		})
		huge.Status.Listeners = append(huge.Status.Listeners, gatewayv1.ListenerStatus{Name: name, Conditions: []metav1.Condition{{
			Type: "Accepted", Status: metav1.ConditionFalse, ObservedGeneration: 1,
			Reason: strings.Repeat("x", 1<<10), Message: strings.Repeat("x", 32<<10),
		}}})
	}
	if err := gatewayv1.Install(scheme.Scheme); err != nil {
		t.Fatal(err)
	}
	server := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(huge).Build()
	known := newGateways(server, testingclock.NewFakePassiveClock(metav1.Now().Time)).get(t.Context(), client.ObjectKeyFromObject(huge))
	encoded, err := json.Marshal(known)
	if err != nil || len(known.Listeners) != 64 || len(encoded) > 64*256 {
		t.Errorf("%d listeners, %d bytes, %v", len(known.Listeners), len(encoded), err)
	}
}

// TestGatewaysAreReadAgain: a Gateway that is not there, or cannot be read, is asked for again a second later, and no
// sooner; one that was read is not forgotten for a request that fails.
func TestGatewaysAreReadAgain(t *testing.T) {
	if err := gatewayv1.Install(scheme.Scheme); err != nil {
		t.Fatal(err)
	}
	public := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "gateways", Name: "public"}}
	public.Spec.Listeners = []gatewayv1.Listener{{Name: "web", Protocol: gatewayv1.HTTPSProtocolType, Port: 443}}
	key, gateways := client.ObjectKeyFromObject(public), schema.GroupResource{Resource: "gateways"}
	absent, forbidden := apierrors.NewNotFound(gateways, "public"), apierrors.NewForbidden(gateways, "public", nil)
	for name, steps := range map[string][]struct {
		answer error
		after  time.Duration
		want   string
		reads  int
	}{
		"one that comes": {
			{answer: absent, want: "there is no such Gateway", reads: 1},
			{after: 999 * time.Millisecond, want: "there is no such Gateway", reads: 1},
			{after: time.Millisecond, reads: 2},
			{after: 29 * time.Second, reads: 2},
			{after: time.Second, answer: absent, want: "there is no such Gateway", reads: 3},
		},
		"one that cannot be read at first": {
			{answer: errors.New("no answer"), want: "it could not be read", reads: 1},
			{after: time.Second, reads: 2},
		},
		"one that cannot be read later": {
			{reads: 1},
			{after: 30 * time.Second, answer: errors.New("no answer"), reads: 2},
			{after: 999 * time.Millisecond, reads: 2},
			{after: time.Millisecond, answer: errors.New("no answer"), reads: 3},
			{after: time.Second, answer: absent, want: "there is no such Gateway", reads: 4},
			{after: time.Second, answer: errors.New("no answer"), want: "it could not be read", reads: 5},
		},
		"without the right": {
			{answer: forbidden, want: "the operator has no right to get it", reads: 1},
			{after: 29 * time.Second, want: "the operator has no right to get it", reads: 1},
			{after: time.Second, reads: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			clock, reads := testingclock.NewFakePassiveClock(metav1.Now().Time), 0
			var answer error
			server := fake.NewClientBuilder().WithScheme(scheme.Scheme).WithObjects(public.DeepCopy()).WithInterceptorFuncs(interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
					if reads++; answer != nil {
						clock.SetTime(clock.Now().Add(gatewayTimeout)) // it may take as long
						return answer
					}
					return c.Get(ctx, key, o, opts...)
				},
			}).Build()
			known := newGateways(server, clock)
			for i, step := range steps {
				clock.SetTime(clock.Now().Add(step.after))
				answer = step.answer
				for range 100 {
					got := known.get(t.Context(), key)
					if got.Unread != step.want || (len(got.Listeners) == 1) != (step.want == "") || reads != step.reads {
						t.Fatalf("step %d: %q, %d listeners, %d reads; want %q and %d", i, got.Unread, len(got.Listeners), reads,
							step.want, step.reads)
					}
				}
			}
		})
	}
}

// TestExposuresLookApart: the many resources of an operator that has just started do not look again in the same second.
func TestExposuresLookApart(t *testing.T) {
	seconds := map[int]bool{}
	for range 1000 {
		again := lookAtExposure()
		if again <= 6*time.Minute || again > exposureAgain {
			t.Fatalf("after %s", again)
		}
		seconds[int(again.Seconds())] = true
	}
	if len(seconds) < 200 {
		t.Errorf("1000 resources look in %d seconds", len(seconds))
	}
}
