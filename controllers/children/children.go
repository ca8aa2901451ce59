// Package children builds what a ChannelConnector is turned into: pure functions
// from the resource, its rendered configuration and the operator's defaults to
// apply configurations, one file for each child. They know no client, no clock
// and no recorder, so that the same input always gives the same children.
package children

import (
	"encoding/json"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// Input is everything that the children depend on.
type Input struct {
	// Connector is the resource, with its defaults filled in.
	Connector *v1alpha1.ChannelConnector
	// Config is the rendered configuration; nil while there is none, then the
	// Secret that holds it is left as it is.
	Config *render.Config
	// ConfigWrittenAt is when Config was first written, which tells pods that
	// started with it from those that must hear of it; zero outside a cluster.
	ConfigWrittenAt time.Time
	// StartDigest is that of the configuration in use, of which Config is the
	// newest version. It is part of the pod template.
	StartDigest string
	// APIKeyRegenerated is the value of the annotation by which a generated API
	// key was last made anew; empty when it never was.
	APIKeyRegenerated string
	// Image is the connector's container image.
	Image string
	// Keep is the pod template that the Deployment has, where it must wait for its
	// turn to get the one that this version of the operator makes.
	Keep *corev1ac.PodTemplateSpecApplyConfiguration
	// Upgrading says that the pod template was adopted because the operator
	// changed, not the resource.
	Upgrading bool
}

// Child is one object that a ChannelConnector wants.
type Child struct {
	// Kind and Name identify it in messages.
	Kind, Name string
	// Desired is the apply configuration: every field that is wanted, and no
	// other.
	Desired runtime.ApplyConfiguration
	// New returns an empty object of the child's type.
	New func() client.Object
	// Annotate adds an annotation to Desired.
	Annotate func(key, value string)
	// Fit changes Desired where the object that is there cannot become what is
	// wanted, and need not; nil for most kinds.
	Fit func(live client.Object)
}

// annotated is an apply configuration of an object.
type annotated[T any] interface {
	runtime.ApplyConfiguration
	GetKind() *string
	GetName() *string
	WithAnnotations(entries map[string]string) T
}

func newChild[T annotated[T]](desired T, newObject func() client.Object) Child {
	return Child{
		Kind: *desired.GetKind(), Name: *desired.GetName(), Desired: desired, New: newObject,
		Annotate: func(key, value string) { desired.WithAnnotations(map[string]string{key: value}) },
	}
}

// Key is where the child is.
func (c Child) Key(namespace string) client.ObjectKey {
	return client.ObjectKey{Namespace: namespace, Name: c.Name}
}

// String is the child in a message: Service "shop-connector".
func (c Child) String() string { return fmt.Sprintf("%s %q", c.Kind, c.Name) }

// JSON is Desired as it is sent.
func (c Child) JSON() ([]byte, error) { return json.Marshal(c.Desired) }

// Build returns every child that the resource wants, in the order in which they
// are applied: what a pod needs comes before the Deployment.
func Build(in Input) []Child {
	var all []Child
	if in.Config != nil {
		all = append(all, newChild(ConfigSecret(in), func() client.Object { return &corev1.Secret{} }))
	}
	if in.Connector.Spec.Workload.ServiceAccountName == "" {
		all = append(all, newChild(ServiceAccount(in), func() client.Object { return &corev1.ServiceAccount{} }))
	}
	if storage(in.Connector) == v1alpha1.StoragePersistent {
		claim := PersistentVolumeClaim(in)
		child := newChild(claim, func() client.Object { return &corev1.PersistentVolumeClaim{} })
		child.Fit = func(live client.Object) { keepLarger(claim, live) }
		all = append(all, child)
	}
	return append(all,
		newChild(Service(in), func() client.Object { return &corev1.Service{} }),
		newChild(Deployment(in), func() client.Object { return &appsv1.Deployment{} }),
	)
}

// Unwanted returns every child that the resource does not want but may have
// wanted before. A ServiceAccount whose name the user wants stays, whoever made it.
func Unwanted(in Input) []Child {
	if name := in.Connector.Spec.Workload.ServiceAccountName; name == "" || name == ConnectorName(in.Connector.Name) {
		return nil
	}
	return []Child{newChild(ServiceAccount(in), func() client.Object { return &corev1.ServiceAccount{} })}
}

// owner is the reference by which the API server deletes a child together with
// its ChannelConnector; nil for a resource that is in no cluster.
func owner(c *v1alpha1.ChannelConnector) []*metav1ac.OwnerReferenceApplyConfiguration {
	if c.UID == "" {
		return nil
	}
	return []*metav1ac.OwnerReferenceApplyConfiguration{metav1ac.OwnerReference().
		WithAPIVersion(v1alpha1.GroupVersion.String()).WithKind("ChannelConnector").
		WithName(c.Name).WithUID(c.UID).WithController(true).WithBlockOwnerDeletion(true)}
}
