package children

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// portHTTP is http's own, so that the URL needs none.
const portHTTP = 80

// +kubebuilder:rbac:groups="",resources=services,verbs=get;list;watch;create;patch

// service is the stable address of the webhook.
var service = Kind{
	Name: "Service", Want: wantService, Merge: [][]string{{"name"}},
	New: func() client.Object { return &corev1.Service{} },
}

func wantService(in Input) runtime.ApplyConfiguration {
	return corev1ac.Service(ConnectorName(in.Connector.Name), in.Connector.Namespace).
		WithLabels(Labels(in.Connector.Name)).
		WithAnnotations(annotations(in.Connector)).
		WithOwnerReferences(owner(in.Connector)...).
		WithSpec(corev1ac.ServiceSpec().
			WithType(corev1.ServiceTypeClusterIP).
			WithSelector(Selector(in.Connector.Name)).
			WithPorts(corev1ac.ServicePort().
				WithName("http").WithAppProtocol("http").WithProtocol(corev1.ProtocolTCP).
				WithPort(portHTTP).WithTargetPort(intstr.FromString(portWebhook))))
}

// servicePort is the Service's port to which calls from outside the cluster are led.
func servicePort(*v1alpha1.ChannelConnector) int32 { return portHTTP }

// URL is where the Service is reached inside the cluster.
func URL(c *v1alpha1.ChannelConnector) string {
	return "http://" + ConnectorName(c.Name) + "." + c.Namespace + ".svc"
}
