package children

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// servicePort is http's own, so that the URL needs none.
const servicePort = 80

// Service is the stable address of the webhook.
func Service(in Input) *corev1ac.ServiceApplyConfiguration {
	return corev1ac.Service(ConnectorName(in.Connector.Name), in.Connector.Namespace).
		WithLabels(Labels(in.Connector.Name)).
		WithAnnotations(annotations(in.Connector)).
		WithOwnerReferences(owner(in.Connector)...).
		WithSpec(corev1ac.ServiceSpec().
			WithType(corev1.ServiceTypeClusterIP).
			WithSelector(Selector(in.Connector.Name)).
			WithPorts(corev1ac.ServicePort().
				WithName("http").WithAppProtocol("http").WithProtocol(corev1.ProtocolTCP).
				WithPort(servicePort).WithTargetPort(intstr.FromString(portWebhook))))
}

// URL is where the Service is reached inside the cluster.
func URL(c *v1alpha1.ChannelConnector) string {
	return "http://" + ConnectorName(c.Name) + "." + c.Namespace + ".svc"
}
