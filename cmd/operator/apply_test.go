package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"xbot.a4b.vn/channel-connector/api/schema"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers"
)

// source is the ConfigMap with the connector shop.
var source = &corev1.ConfigMap{
	ObjectMeta: metav1.ObjectMeta{Namespace: "chat", Name: "connectors", UID: "1"},
	Data:       map[string]string{"shop.yaml": shop},
}

// newApplication applies source to a server that holds objects and answers each attempt to apply a resource with what
// applied returns.
func newApplication(t *testing.T, applied func() error, objects ...client.Object) *application {
	t.Helper()
	if _, err := schema.Decode(t.Context(), []byte(shop)); err != nil { // compiles the schema, which takes its time once
		t.Fatal(err)
	}
	scheme, err := controllers.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	server := fake.NewClientBuilder().WithScheme(scheme).WithObjects(source.DeepCopy()).WithObjects(objects...).Build()
	return &application{
		client: interceptor.NewClient(server, interceptor.Funcs{
			Apply: func(context.Context, client.WithWatch, runtime.ApplyConfiguration, ...client.ApplyOption) error {
				return applied()
			},
		}),
		configMap: client.ObjectKeyFromObject(source),
		timeout:   applyTimeout,
		log:       io.Discard,
		refusals:  map[string]int{},
		told:      map[string]bool{},
	}
}

// TestApplyRefusesAForeignNameBeforeItDeletes: nothing is lost to a call that is refused, wherever in the list the name
// stands.
func TestApplyRefusesAForeignNameBeforeItDeletes(t *testing.T) {
	unlisted := &v1alpha1.ChannelConnector{ObjectMeta: metav1.ObjectMeta{
		Namespace: "chat", Name: "a-shop",
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "connectors", UID: "1"}},
	}}
	foreign := &v1alpha1.ChannelConnector{ObjectMeta: metav1.ObjectMeta{Namespace: "chat", Name: "shop"}}
	a := newApplication(t, func() error { return nil }, unlisted, foreign)
	err := a.run(t.Context())
	if want := `ChannelConnector "shop" exists and is not from the ConfigMap "connectors"`; err == nil ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := a.client.Get(t.Context(), client.ObjectKeyFromObject(unlisted), unlisted); err != nil {
		t.Errorf("the one that is no longer listed: %v", err)
	}
}

// TestApplyGivesUpWhatStaysInvalid: a field that cannot be changed is known to the API server only, which may judge by
// an older definition for some seconds.
func TestApplyGivesUpWhatStaysInvalid(t *testing.T) {
	const message = "type: cannot be changed: create another ChannelConnector"
	invalid := apierrors.NewInvalid(v1alpha1.GroupVersion.WithKind("ChannelConnector").GroupKind(), "shop",
		field.ErrorList{field.Invalid(field.NewPath("spec", "type"), "ZaloOA", message)})
	outage := errors.New("connection refused")
	for name, c := range map[string]struct {
		// answer is that of the API server after a time.
		answer         func(time.Duration) error
		atLeast, below time.Duration
		want           string
	}{
		"at once": {
			answer:  func(time.Duration) error { return invalid },
			atLeast: 20 * time.Second, below: time.Minute, want: message,
		},
		"until the new definition is served": {
			answer: func(after time.Duration) error {
				if after < 20*time.Second {
					return invalid
				}
				return outage
			},
			atLeast: applyTimeout, below: applyTimeout + time.Second,
			want: "not Ready after 4m0s:\n" + `ChannelConnector "shop": connection refused`,
		},
		"after an outage": {
			answer: func(after time.Duration) error {
				if after < 50*time.Second {
					return outage
				}
				return invalid
			},
			atLeast: 70 * time.Second, below: 2 * time.Minute, want: message,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				a := newApplication(t, func() error { return c.answer(time.Since(start)) })
				err := a.run(t.Context())
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %s", err, c.want)
				}
				if took := time.Since(start); took < c.atLeast || took >= c.below {
					t.Errorf("gave up after %s, want from %s to %s", took, c.atLeast, c.below)
				}
			})
		})
	}
}

// TestApplyAwaitsNoOASecretKey: Zalo's console shows the key only to whom the connector has answered it, so neither
// Helm nor anybody may wait for it.
func TestApplyAwaitsNoOASecretKey(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "M", ObservedGeneration: 2}
	}
	awaiting := condition("Ready", metav1.ConditionFalse, "AwaitingOASecretKey")
	available := condition("WorkloadAvailable", metav1.ConditionTrue, "Available")
	old := awaiting
	old.ObservedGeneration = 1
	for name, c := range map[string]struct {
		conditions []metav1.Condition
		want       string
	}{
		"serves": {[]metav1.Condition{awaiting, available}, ""},
		"does not serve yet": {
			[]metav1.Condition{awaiting, condition("WorkloadAvailable", metav1.ConditionFalse, "Starting")}, "is not Ready: AwaitingOASecretKey: M",
		},
		"awaited it before": {[]metav1.Condition{old, available}, "the operator has not looked at it yet"},
		"lacks something else": {
			[]metav1.Condition{condition("Ready", metav1.ConditionFalse, "SecretNotFound"), available}, "is not Ready: SecretNotFound: M",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			a := &application{log: &log, told: map[string]bool{}}
			resource := &v1alpha1.ChannelConnector{ObjectMeta: metav1.ObjectMeta{Name: "shop", Generation: 2}}
			resource.Spec.Type = v1alpha1.ChannelZaloOA
			resource.Status.Conditions = c.conditions
			err := errors.Join(a.judge(resource), a.judge(resource))
			if c.want == "" && (err != nil || strings.Count(log.String(), `"shop" serves, and is Ready when it has its OA secret key`) != 1) {
				t.Errorf("got %v; the log:\n%s", err, &log)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
