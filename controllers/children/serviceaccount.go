package children

import (
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
)

// ServiceAccount is the pods' identity, without a token: the connector never
// talks to the API server.
func ServiceAccount(in Input) *corev1ac.ServiceAccountApplyConfiguration {
	return corev1ac.ServiceAccount(ConnectorName(in.Connector.Name), in.Connector.Namespace).
		WithLabels(Labels(in.Connector.Name)).
		WithAnnotations(annotations(in.Connector)).
		WithOwnerReferences(owner(in.Connector)...).
		WithAutomountServiceAccountToken(false)
}
