// Package children builds what a ChannelConnector is turned into: pure functions from the resource, its rendered
// configuration and the operator's defaults to apply configurations. They know no client, no clock and no recorder, so
// that the same input always gives the same children.
//
// A kind of child is one file, with its RBAC markers, and one word in Kinds.
package children

import (
	"encoding/json"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
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
	// Config is the rendered configuration. If it is nil, its Secret is left as it is.
	Config *render.Config
	// ConfigWrittenAt is when Config was first written; zero outside a cluster. Older pods must be told of it.
	ConfigWrittenAt time.Time
	// StartDigest is that of the configuration in use, of which Config is the newest version. It is part of the pod
	// template.
	StartDigest string
	// APIKeyRegenerated is the value of the annotation by which a generated API key was replaced last; empty if it
	// never was.
	APIKeyRegenerated string
	// Taken are the URL paths that another ChannelConnector has on a host of this one's exposure.
	Taken []string
	// OperatorNamespace has the operator's pods, which ask the connector for its report; empty where none does.
	OperatorNamespace string
	// ClaimRequest is what the inbox's claim requests while the API server refuses more; nil for what the declared size
	// needs.
	ClaimRequest *resource.Quantity
	// Image is the connector's container image.
	Image string
	// Keep is the pod template that the Deployment has, while it waits for the one that this version of the operator
	// makes; otherwise nil.
	Keep *corev1ac.PodTemplateSpecApplyConfiguration
	// Upgrading reports whether the pod template was adopted because the operator changed, not the resource.
	Upgrading bool
}

// Child is one object that a ChannelConnector wants.
type Child struct {
	Kind Kind
	Name string
	// Desired is the apply configuration: every field that is wanted, and no other.
	Desired runtime.ApplyConfiguration
}

// Key is where the child is.
func (c Child) Key(namespace string) client.ObjectKey {
	return client.ObjectKey{Namespace: namespace, Name: c.Name}
}

// String is the child in a message: Service "shop-connector".
func (c Child) String() string { return fmt.Sprintf("%s %q", c.Kind.Name, c.Name) }

// JSON is Desired as it is sent.
func (c Child) JSON() ([]byte, error) { return json.Marshal(c.Desired) }

// Build returns the children of these kinds that the resource wants, in the kinds' order.
func Build(kinds []Kind, in Input) (all []Child) {
	for _, k := range kinds {
		if desired := k.Want(in); desired != nil {
			all = append(all, Child{Kind: k, Name: ConnectorName(in.Connector.Name), Desired: desired})
		}
	}
	return all
}

// Unwanted returns the children of these kinds that are to be deleted if they are there.
func Unwanted(kinds []Kind, in Input) (all []Child) {
	for _, k := range kinds {
		if k.Prune != nil && k.Prune(in) && k.Want(in) == nil {
			all = append(all, Child{Kind: k, Name: ConnectorName(in.Connector.Name)})
		}
	}
	return all
}

// owner is the reference by which the API server deletes a child together with its ChannelConnector; nil for a resource
// that is in no cluster.
func owner(c *v1alpha1.ChannelConnector) []*metav1ac.OwnerReferenceApplyConfiguration {
	if c.UID == "" {
		return nil
	}
	return []*metav1ac.OwnerReferenceApplyConfiguration{metav1ac.OwnerReference().
		WithAPIVersion(v1alpha1.GroupVersion.String()).WithKind("ChannelConnector").
		WithName(c.Name).WithUID(c.UID).WithController(true).WithBlockOwnerDeletion(true)}
}
