package children

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// +kubebuilder:rbac:groups="",resources=serviceaccounts,verbs=get;list;watch;create;patch;delete

// serviceAccount is the pods' identity, without a token unless the resource asks for one: the connector never talks to
// the API server. If the user names a ServiceAccount of the same name, it stays, even one that the operator made.
var serviceAccount = Kind{
	Name: "ServiceAccount", Want: wantServiceAccount,
	New: func() client.Object { return &corev1.ServiceAccount{} },
	Prune: func(in Input) bool {
		return in.Connector.Spec.Workload.ServiceAccountName != ConnectorName(in.Connector.Name)
	},
}

func wantServiceAccount(in Input) runtime.ApplyConfiguration {
	if in.Connector.Spec.Workload.ServiceAccountName != "" {
		return nil
	}
	account := corev1ac.ServiceAccount(ConnectorName(in.Connector.Name), in.Connector.Namespace).
		WithLabels(Labels(in.Connector.Name)).
		WithAnnotations(annotations(in.Connector)).
		WithOwnerReferences(owner(in.Connector)...)
	if !mountsToken(in.Connector) {
		account.WithAutomountServiceAccountToken(false)
	}
	return account
}

// mountsToken reports whether the pods get a token of their ServiceAccount.
func mountsToken(c *v1alpha1.ChannelConnector) bool {
	return c.Spec.Workload.ServiceAccountToken == v1alpha1.TokenMount
}
