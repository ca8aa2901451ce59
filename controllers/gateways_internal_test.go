package controllers

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	testingclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
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
