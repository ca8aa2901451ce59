package children

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// The Service's ports are the protocols' own, so that the URL needs none.
const (
	portHTTP  = 80
	portHTTPS = 443
)

// scheme is the protocol of the webhook, and the name of its ports: an endpoint speaks what its port's name says, also
// while pods of another template are still there.
func scheme(c *v1alpha1.ChannelConnector) (name string, port int32) {
	if c.Spec.Workload.TLS != nil {
		return "https", portHTTPS
	}
	return "http", portHTTP
}

// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;patch

// service is the stable address of the webhook.
var service = Kind{
	Name: "Service", Want: wantService, Merge: [][]string{{"name"}},
	New: func() client.Object { return &corev1.Service{} },
}

func wantService(in Input) runtime.ApplyConfiguration {
	name, port := scheme(in.Connector)
	return corev1ac.Service(ConnectorName(in.Connector.Name), in.Connector.Namespace).
		WithLabels(Labels(in.Connector.Name)).
		WithAnnotations(annotations(in.Connector)).
		WithOwnerReferences(owner(in.Connector)...).
		WithSpec(corev1ac.ServiceSpec().
			WithType(corev1.ServiceTypeClusterIP).
			WithSelector(Selector(in.Connector.Name)).
			WithPorts(corev1ac.ServicePort().
				WithName(name).WithAppProtocol(name).WithProtocol(corev1.ProtocolTCP).
				WithPort(port).WithTargetPort(intstr.FromString(name))))
}

// servicePort is the Service's port to which calls from outside the cluster are led.
func servicePort(c *v1alpha1.ChannelConnector) int32 {
	_, port := scheme(c)
	return port
}

// URL is where the Service is reached inside the cluster.
func URL(c *v1alpha1.ChannelConnector) string {
	name, _ := scheme(c)
	return name + "://" + ConnectorName(c.Name) + "." + c.Namespace + ".svc"
}
