package controllers

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
)

// held returns what a cache holds of a resource, which goes through the transform twice if lists are streamed.
func held(t *testing.T, c *v1alpha1.ChannelConnector) *v1alpha1.ChannelConnector {
	t.Helper()
	var object any = c.DeepCopy()
	for range 2 {
		var err error
		if object, err = slimAndCut(object); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := object.(*v1alpha1.ChannelConnector)
	return got
}

// TestLargeResources: whatever part of a resource is large, the caches hold little of it, but all that events are judged
// by, and its passes have all of it.
func TestLargeResources(t *testing.T) {
	long := v1alpha1.AnnotationValue(strings.Repeat("x", 1<<20))
	for name, enlarge := range map[string]func(*v1alpha1.ChannelConnector){
		"annotations of pods": func(c *v1alpha1.ChannelConnector) {
			c.Spec.Workload.PodAnnotations = map[string]v1alpha1.AnnotationValue{"a": long}
		},
		"tolerations": func(c *v1alpha1.ChannelConnector) {
			c.Spec.Workload.Tolerations = make([]corev1.Toleration, 10_000)
		},
		"accounts": func(c *v1alpha1.ChannelConnector) {
			c.Spec.ZaloOA.OfficialAccounts = append(c.Spec.ZaloOA.OfficialAccounts, make([]v1alpha1.OfficialAccount, 10_000)...)
		},
		"annotations of the Ingress": func(c *v1alpha1.ChannelConnector) {
			c.Spec.Exposure.Ingress.Annotations = map[string]v1alpha1.AnnotationValue{"a": long}
		},
		"events": func(c *v1alpha1.ChannelConnector) { c.Spec.Webhook.Events.Include = []string{string(long)} },
		"status": func(c *v1alpha1.ChannelConnector) {
			c.Status.Conditions = []metav1.Condition{{Type: "Ready", Message: string(long)}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := connectortest.Full(t)
			c.Generation, c.Annotations = 7, nil
			c.Spec.Exposure = &v1alpha1.Exposure{Ingress: &v1alpha1.IngressExposure{Host: "hooks.example.com", TLSSecretName: "hooks-tls"}}
			enlarge(c)
			got := held(t, c)
			if n := apply.Size(got); n > maxResource {
				t.Errorf("%d bytes are held", n)
			}
			judgedBy := func(c *v1alpha1.ChannelConnector) []any {
				return []any{claimedBy(c), c.Spec.Delivery, c.Spec.Sink, c.Spec.Inbox, c.Generation}
			}
			if diff := cmp.Diff(judgedBy(c), judgedBy(got), cmp.AllowUnexported(claimed{}, address{}, namedObject{}, ownKey{})); diff != "" {
				t.Errorf("events are judged otherwise (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.Spec, passed(t, c, got).Spec); diff != "" {
				t.Errorf("a pass lacks (-want +got):\n%s", diff)
			}
		})
	}
}

// passed is a resource as its pass reads it: the API server has it whole, and the cache as held.
func passed(t *testing.T, c, held *v1alpha1.ChannelConnector) *v1alpha1.ChannelConnector {
	t.Helper()
	scheme, err := NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	server := fake.NewClientBuilder().WithScheme(scheme).WithObjects(c.DeepCopy()).Build()
	cached := interceptor.NewClient(server, interceptor.Funcs{
		Get: func(_ context.Context, _ client.WithWatch, _ client.ObjectKey, into client.Object, _ ...client.GetOption) error {
			c, _ := into.(*v1alpha1.ChannelConnector)
			held.DeepCopyInto(c)
			return nil
		},
	})
	got := &v1alpha1.ChannelConnector{}
	if err := (whole{cached, server}).Get(t.Context(), client.ObjectKeyFromObject(c), got); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestServedResources: the caches hold what is declared in earnest whole, also with the mark of those that are not.
func TestServedResources(t *testing.T) {
	full := connectortest.Full(t)
	full.Annotations = map[string]string{cutMark: ""}
	accounts := connectortest.New(t)
	for i := range 1000 { // as many as the schema takes
		accounts.Spec.ZaloOA.OfficialAccounts = append(accounts.Spec.ZaloOA.OfficialAccounts, v1alpha1.OfficialAccount{
			ID: fmt.Sprintf("36627295993325%05d", i), DisplayName: fmt.Sprintf("Cửa hàng số %d, đường Điện Biên Phủ", i),
			SecretKeyRefs: []v1alpha1.SecretKeyRef{{Name: fmt.Sprintf("shop-zalo-%d", i), Key: "oa-secret-key"}}[:i/900],
		})
	}
	for _, c := range []*v1alpha1.ChannelConnector{full, accounts} {
		got := held(t, c)
		if diff := cmp.Diff(c.Spec, got.Spec); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, marked := got.Annotations[cutMark]; marked {
			t.Errorf("%d bytes: each pass reads it", apply.Size(c))
		}
	}
}

// TestLargestCore: the schema takes no resource of which the caches hold less than they need.
func TestLargestCore(t *testing.T) {
	name := strings.Repeat("n", 253)
	c, key := connectortest.Full(t), v1alpha1.SecretKeyRef{Name: name, Key: name}
	many := func(n int) (keys []v1alpha1.SecretKeyRef) {
		for range n {
			keys = append(keys, v1alpha1.SecretKeyRef{Name: strings.Clone(name), Key: strings.Clone(name)})
		}
		return keys
	}
	c.Spec.ZaloOA.Signature.SecretKeyRefs = many(32)
	for range 100 {
		c.Spec.ZaloOA.OfficialAccounts = append(c.Spec.ZaloOA.OfficialAccounts,
			v1alpha1.OfficialAccount{ID: strings.Repeat("ế", 64), SecretKeyRefs: many(2)})
	}
	for range 16 {
		c.Spec.Sink.HTTP.Headers = append(c.Spec.Sink.HTTP.Headers, v1alpha1.Header{Name: name, SecretKeyRef: key})
	}
	for range 8 {
		c.Spec.Webhook.APIKeys = append(c.Spec.Webhook.APIKeys, v1alpha1.APIKey{Name: name[:63], SecretKeyRef: key})
	}
	c.Spec.Exposure = &v1alpha1.Exposure{HTTPRoute: &v1alpha1.HTTPRouteExposure{}}
	for range 8 {
		c.Spec.Exposure.HTTPRoute.ParentRefs = append(c.Spec.Exposure.HTTPRoute.ParentRefs, v1alpha1.ParentRef{Name: name, SectionName: name})
		c.Spec.Exposure.HTTPRoute.Hostnames = append(c.Spec.Exposure.HTTPRoute.Hostnames, v1alpha1.Hostname(name))
	}
	for range 32 {
		c.Status.Conditions = append(c.Status.Conditions, metav1.Condition{Message: strings.Repeat("m", 1024)})
	}
	c.Spec.Workload.PodAnnotations = map[string]v1alpha1.AnnotationValue{"a": v1alpha1.AnnotationValue(make([]byte, maxResource))}
	if got := held(t, c); got.Spec.Type == "" || len(got.Status.Conditions) == 0 {
		t.Errorf("%d bytes are left", apply.Size(got))
	}
}
