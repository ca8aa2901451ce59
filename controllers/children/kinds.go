package children

import (
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Kinds are the kinds of children, in the order in which they are applied: what a pod needs comes before the
// Deployment, and what leads calls to it comes after.
var Kinds = []Kind{ConfigSecret, serviceAccount, claim, networkPolicy, service, Deployment, httpRoute, ingress}

// Kind is a kind of child, of which a ChannelConnector has one object at most.
type Kind struct {
	// Name is the kind's name: Service.
	Name string
	// New returns an empty object. A type that the operator's scheme lacks is an *unstructured.Unstructured with its
	// apiVersion and kind.
	New func() client.Object
	// Want returns every field that the resource wants of its child; nil when it wants none.
	Want func(Input) runtime.ApplyConfiguration
	// Fit changes what is wanted to what the object that is there can become; nil for most kinds.
	Fit func(wanted runtime.ApplyConfiguration, live client.Object)
	// Replace reports whether the object that is there cannot become what is wanted: it is deleted, and made again. nil for
	// most kinds.
	Replace func(wanted runtime.ApplyConfiguration, live client.Object) bool
	// Merge are the fields by which elements of the kind's lists are told apart, tried one set after another: {"name"}.
	// Owner references are told apart by their uid in any kind.
	Merge [][]string
	// Private reports whether the object holds secrets. Its metadata is cached and the object itself read when it has
	// changed; none of its fields is ever left to others.
	Private bool
	// Prune reports whether a child that the resource does not want is deleted; nil for never.
	Prune func(Input) bool
	// Outer reports whether the object only leads calls from outside the cluster to the connector, which runs without it.
	Outer bool
	// Optional reports whether a cluster may lack the kind. Its children are left out until the cluster serves it.
	Optional bool
}
