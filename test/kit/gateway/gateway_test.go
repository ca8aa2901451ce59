package gateway

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"xbot.a4b.vn/channel-connector/test/kit/apiserver"
	"xbot.a4b.vn/channel-connector/test/kit/certificate"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

const namespace = "default"

// startServer starts an API server with the kinds of the Gateway API.
func startServer(t *testing.T) (*rest.Config, client.Client) {
	t.Helper()
	definitions, err := Definitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server := &envtest.Environment{CRDDirectoryPaths: definitions, ErrorIfCRDPathMissing: true}
	if err := apiserver.Reserve(server); err != nil {
		t.Fatal(err)
	}
	config, err := server.Start()
	if err != nil {
		t.Fatalf("start a real API server: make test names its binaries in KUBEBUILDER_ASSETS: %v", err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	scheme, err := NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	k8s, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return config, k8s
}

// startController runs a controller until the end of the test.
func startController(t *testing.T, config *rest.Config, kind Kind, backend *httptest.Server) *Controller {
	t.Helper()
	controller := &Controller{
		Class: kind.Program, Proxy: newProxy(t, kind),
		Backend: func(*corev1.Service, int32) string { return backend.Listener.Addr().String() },
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- controller.Run(ctx, config) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return controller
}

func create(t *testing.T, k8s client.Client, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := k8s.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

func service() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-connector"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
	}
}

func route(name, gateway, backend string) *gatewayv1.HTTPRoute {
	path := gatewayv1.HTTPPathMatch{Type: new(gatewayv1.PathMatchExact), Value: new(push)}
	to := gatewayv1.HTTPBackendRef{}
	to.Name, to.Port = gatewayv1.ObjectName(backend), new(gatewayv1.PortNumber(80))
	made := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	made.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: gatewayv1.ObjectName(gateway)}}
	made.Spec.Hostnames = []gatewayv1.Hostname{certificate.Name}
	made.Spec.Rules = []gatewayv1.HTTPRouteRule{{
		Matches: []gatewayv1.HTTPRouteMatch{{Path: &path}}, BackendRefs: []gatewayv1.HTTPBackendRef{to},
	}}
	return made
}

func ingress(class string) *networkingv1.Ingress {
	path := networkingv1.HTTPIngressPath{Path: push, PathType: new(networkingv1.PathTypeExact)}
	path.Backend.Service = &networkingv1.IngressServiceBackend{Name: "shop-connector", Port: networkingv1.ServiceBackendPort{Name: "http"}}
	rule := networkingv1.IngressRule{Host: certificate.Name}
	rule.HTTP = &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{path}}
	return &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop"},
		Spec: networkingv1.IngressSpec{
			IngressClassName: &class, Rules: []networkingv1.IngressRule{rule},
			TLS: []networkingv1.IngressTLS{{Hosts: []string{certificate.Name}, SecretName: "hooks"}},
		},
	}
}

// answers waits until the push path is answered a status with TLS of a certificate.
func answers(t *testing.T, c *Controller, trusted string, status int) {
	t.Helper()
	client := Client(c.Proxy.Address, trusted)
	poll.Until(t, http.StatusText(status), func() bool {
		got, err := client.Get("https://" + certificate.Name + push)
		return err == nil && got.Body.Close() == nil && got.StatusCode == status
	})
}

// TestController: routes and Ingresses on a real API server lead calls through real proxies, and each status tells it.
func TestController(t *testing.T) {
	for _, kind := range []Kind{Nginx(), HAProxy()} {
		if _, err := kind.Find(); err != nil {
			t.Skip(kind.Program + " is not installed; it is by: go -C localcluster run ./cmd/setup ci")
		}
	}
	config, k8s := startServer(t)
	server := backend(t)
	cert, key, err := certificate.Make(1)
	if err != nil {
		t.Fatal(err)
	}
	create(t, k8s, service(), TLSSecret(namespace, "hooks", cert, key))

	t.Run("HTTPRoute", func(t *testing.T) {
		c := startController(t, config, Nginx(), server)
		create(t, k8s, c.Objects(namespace, "hooks", certificate.Name)...)
		answers(t, c, cert, http.StatusNotFound)
		exposed, lost := route("exposed", "hooks", "shop-connector"), route("lost", "hooks", "absent")
		lost.Spec.Rules[0].Matches[0].Path.Value = new("/lost")
		stranger := route("stranger", "hooks", "shop-connector")
		stranger.Spec.Hostnames = []gatewayv1.Hostname{"elsewhere.test"}
		create(t, k8s, exposed, lost, stranger)
		answers(t, c, cert, http.StatusOK)
		tells(t, k8s, exposed, c, gatewayv1.RouteReasonAccepted, gatewayv1.RouteReasonResolvedRefs)
		tells(t, k8s, lost, c, gatewayv1.RouteReasonAccepted, gatewayv1.RouteReasonBackendNotFound)
		tells(t, k8s, stranger, c, gatewayv1.RouteReasonNoMatchingListenerHostname, gatewayv1.RouteReasonResolvedRefs)
		gateway := &gatewayv1.Gateway{}
		poll.Until(t, "the Gateway is programmed", func() bool {
			err := k8s.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "hooks"}, gateway)
			return err == nil && meta.IsStatusConditionTrue(gateway.Status.Conditions, "Programmed") &&
				len(gateway.Status.Listeners) == 1 && gateway.Status.Listeners[0].AttachedRoutes == 2
		})
		if err := k8s.Delete(t.Context(), exposed); err != nil {
			t.Fatal(err)
		}
		answers(t, c, cert, http.StatusNotFound)
	})

	t.Run("Ingress", func(t *testing.T) {
		c := startController(t, config, HAProxy(), server)
		exposed := ingress(c.Class)
		create(t, k8s, exposed)
		answers(t, c, cert, http.StatusOK)
		poll.Until(t, "the address in the status", func() bool {
			err := k8s.Get(t.Context(), client.ObjectKeyFromObject(exposed), exposed)
			return err == nil && len(exposed.Status.LoadBalancer.Ingress) == 1
		})
		rotated, key, err := certificate.Make(2)
		if err != nil {
			t.Fatal(err)
		}
		if err := k8s.Update(t.Context(), TLSSecret(namespace, "hooks", rotated, key)); err != nil {
			t.Fatal(err)
		}
		answers(t, c, rotated, http.StatusOK)
		if err := k8s.Delete(t.Context(), exposed); err != nil {
			t.Fatal(err)
		}
		poll.Until(t, "the host is gone", func() bool {
			connection, err := tls.Dial("tcp", c.Proxy.Address, Trust(rotated))
			if err == nil {
				_ = connection.Close()
			}
			return err != nil
		})
	})
}

// tells waits until a route's status has these reasons for its only parent.
func tells(t *testing.T, k8s client.Client, route *gatewayv1.HTTPRoute, c *Controller, accepted, resolved gatewayv1.RouteConditionReason) {
	t.Helper()
	poll.Until(t, route.Name+": "+string(accepted)+", "+string(resolved), func() bool {
		if err := k8s.Get(t.Context(), client.ObjectKeyFromObject(route), route); err != nil || len(route.Status.Parents) != 1 {
			return false
		}
		parent := route.Status.Parents[0]
		has := func(kind gatewayv1.RouteConditionType, reason gatewayv1.RouteConditionReason) bool {
			found := meta.FindStatusCondition(parent.Conditions, string(kind))
			return found != nil && found.Reason == string(reason) && found.ObservedGeneration == route.Generation
		}
		return string(parent.ControllerName) == c.Name() &&
			has(gatewayv1.RouteConditionAccepted, accepted) && has(gatewayv1.RouteConditionResolvedRefs, resolved)
	})
}
