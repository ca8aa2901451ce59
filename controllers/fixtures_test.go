package controllers_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// The defaults of Eventually and Consistently: the API server is real and the machine shared.
const (
	soon  = time.Minute
	pause = 50 * time.Millisecond
)

var namespaces atomic.Int64

// newNamespace makes a namespace of the spec's own, in which every status that is ever written is judged.
func newNamespace(ctx context.Context) string {
	GinkgoHelper()
	name := fmt.Sprintf("spec-%d", namespaces.Add(1))
	Expect(k8s.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
	record(ctx, name)
	return name
}

// newSecrets makes the Secret shop-zalo with two OA secret keys, and shop-xbot with two API keys.
func newSecrets(ctx context.Context, namespace string) {
	GinkgoHelper()
	for name, data := range map[string]map[string]string{
		"shop-zalo": {"oa-secret-key": "Hidden0SecretKey0OA", "next": "Hidden0SecretKey1OA"},
		"shop-xbot": {"xp-api-key": "Hidden0API0Key0000-of-32-characters", "next": "Hidden0API0Key0001-of-32-characters"},
	} {
		Expect(k8s.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: data})).To(Succeed())
	}
}

// newConnector is the smallest resource with an API key of its own, before it is created.
func newConnector(namespace, name string) *v1alpha1.ChannelConnector {
	return &v1alpha1.ChannelConnector{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.ChannelConnectorSpec{
			Type: v1alpha1.ChannelZaloOA,
			ZaloOA: &v1alpha1.ZaloOA{AppID: "2553928453557884079", Signature: v1alpha1.Signature{
				SecretKeyRefs: []v1alpha1.SecretKeyRef{{Name: "shop-zalo", Key: "oa-secret-key"}},
			}},
			Webhook: v1alpha1.Webhook{
				APIKeys: []v1alpha1.APIKey{{Name: "first", SecretKeyRef: v1alpha1.SecretKeyRef{Name: "shop-xbot", Key: "xp-api-key"}}},
			},
			Sink: v1alpha1.Sink{HTTP: &v1alpha1.HTTPSink{URL: "http://bot.chat.svc/events"}},
			// So that it wants a child of every kind.
			Workload: v1alpha1.Workload{NetworkPolicy: &v1alpha1.NetworkPolicy{MetricsFrom: []networkingv1.NetworkPolicyPeer{
				{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "monitoring"}}},
			}}},
		},
	}
}

// created creates a resource as a user who leaves out what has defaults.
func created(ctx context.Context, c *v1alpha1.ChannelConnector) *v1alpha1.ChannelConnector {
	GinkgoHelper()
	Expect(k8s.Create(ctx, minimal(c))).To(Succeed())
	Expect(k8s.Get(ctx, client.ObjectKeyFromObject(c), c)).To(Succeed())
	return c
}

// readyCondition returns the Ready condition as the API server has it.
func readyCondition(ctx context.Context, c *v1alpha1.ChannelConnector) *metav1.Condition {
	return condition(ctx, c, v1alpha1.ConditionReady)
}

// condition returns a condition as the API server has it; an empty one when there is none.
func condition(ctx context.Context, c *v1alpha1.ChannelConnector, kind string) *metav1.Condition {
	live := &v1alpha1.ChannelConnector{}
	if err := k8s.Get(ctx, client.ObjectKeyFromObject(c), live); err != nil {
		return &metav1.Condition{Message: err.Error()}
	}
	if found := meta.FindStatusCondition(live.Status.Conditions, kind); found != nil {
		return found
	}
	return &metav1.Condition{}
}

// events returns what was recorded in a namespace.
func events(ctx context.Context, namespace string) ([]eventsv1.Event, error) {
	list := &eventsv1.EventList{}
	err := k8s.List(ctx, list, client.InNamespace(namespace))
	return list.Items, err
}

// minimal leaves out every empty field, which a typed object would send and so keep from getting its default.
func minimal(c *v1alpha1.ChannelConnector) *unstructured.Unstructured {
	GinkgoHelper()
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(c)
	Expect(err).NotTo(HaveOccurred())
	withoutEmpty(content)
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ChannelConnector"))
	return u
}

func withoutEmpty(fields map[string]any) {
	for name, value := range fields {
		if inner, ok := value.(map[string]any); ok {
			withoutEmpty(inner)
			if len(inner) == 0 {
				delete(fields, name)
			}
			continue
		}
		switch value {
		case nil, "", "0", "0s", int64(0), false:
			delete(fields, name)
		}
	}
}

// labelPods changes the pod template: a running workload rolls.
func labelPods(c *v1alpha1.ChannelConnector) {
	c.Spec.Workload.PodLabels = map[string]v1alpha1.LabelValue{"team": "chat"}
}
