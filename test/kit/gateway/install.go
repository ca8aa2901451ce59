package gateway

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// NewScheme knows the kinds of Kubernetes and of the Gateway API.
func NewScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return scheme, gatewayv1.Install(scheme)
}

// Definitions are the files of the CustomResourceDefinitions, those of the version that go.mod names.
func Definitions(ctx context.Context) (paths []string, err error) {
	folder, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		return nil, fmt.Errorf("the module of the Gateway API: %w", err)
	}
	for _, kind := range []string{"gatewayclasses", "gateways", "httproutes"} {
		paths = append(paths, filepath.Join(strings.TrimSpace(string(folder)), "config", "crd", "standard",
			gatewayv1.GroupName+"_"+kind+".yaml"))
	}
	return paths, nil
}

// Listener is the name of the only listener of Gateways that Objects makes.
const Listener = "https"

// TLSSecret is a Secret with a certificate and its key.
func TLSSecret(namespace, name, certificate, key string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: []byte(certificate), corev1.TLSPrivateKeyKey: []byte(key)},
	}
}

// Objects are the classes of the controller, and its Gateway: for all namespaces, with one listener for a host, whose
// certificate is in the Secret of the Gateway's name.
func (c *Controller) Objects(namespace, name, host string) []client.Object {
	controller := gatewayv1.GatewayController(c.Name())
	return []client.Object{
		&networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: c.Class}, Spec: networkingv1.IngressClassSpec{Controller: c.Name()}},
		&gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: c.Class}, Spec: gatewayv1.GatewayClassSpec{ControllerName: controller}},
		&gatewayv1.Gateway{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec: gatewayv1.GatewaySpec{GatewayClassName: gatewayv1.ObjectName(c.Class), Listeners: []gatewayv1.Listener{{
				Name: Listener, Port: 443, Protocol: gatewayv1.HTTPSProtocolType, Hostname: new(gatewayv1.Hostname(host)),
				TLS: &gatewayv1.ListenerTLSConfig{
					Mode:            new(gatewayv1.TLSModeTerminate),
					CertificateRefs: []gatewayv1.SecretObjectReference{{Name: gatewayv1.ObjectName(name)}},
				},
				AllowedRoutes: &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: new(gatewayv1.NamespacesFromAll)}},
			}}},
		},
	}
}
