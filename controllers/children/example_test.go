package children

import (
	"fmt"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	policyv1ac "k8s.io/client-go/applyconfigurations/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// budget lets a drained node take one pod at a time. It would stand in a file of its own, below its RBAC marker:
//
//	+kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
var budget = Kind{
	Name:  "PodDisruptionBudget",
	New:   func() client.Object { return &policyv1.PodDisruptionBudget{} },
	Want:  wantBudget,
	Prune: func(Input) bool { return true },
}

func wantBudget(in Input) runtime.ApplyConfiguration {
	c := in.Connector
	if c.Spec.Workload.Replicas == nil || *c.Spec.Workload.Replicas == 0 {
		return nil // a stopped connector has no pod to take
	}
	return policyv1ac.PodDisruptionBudget(ConnectorName(c.Name), c.Namespace).
		WithLabels(Labels(c.Name)).
		WithAnnotations(annotations(c)).
		WithOwnerReferences(owner(c)...).
		WithSpec(policyv1ac.PodDisruptionBudgetSpec().
			WithMaxUnavailable(intstr.FromInt32(1)).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(Selector(c.Name))))
}

// A kind of child is one file and one word in Kinds. Building, pruning, the cache, the watches and the RBAC role follow.
func ExampleKind() {
	shop := &v1alpha1.ChannelConnector{ObjectMeta: metav1.ObjectMeta{Namespace: "chat", Name: "shop"}}
	kinds := []Kind{budget}
	for _, replicas := range []int32{1, 0} {
		shop.Spec.Workload.Replicas = &replicas
		in := Input{Connector: shop}
		for _, child := range Build(kinds, in) {
			fmt.Println("applied:", child)
		}
		for _, child := range Unwanted(kinds, in) {
			fmt.Println("deleted if there:", child)
		}
	}
	// Output:
	// applied: PodDisruptionBudget "shop-connector"
	// deleted if there: PodDisruptionBudget "shop-connector"
}
