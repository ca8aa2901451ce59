package children

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

const (
	// progressDeadlineSeconds is after how long a roll-out that does not come up is given up: long enough to pull an
	// image and to recover a large inbox.
	progressDeadlineSeconds = 300
	// revisionHistoryLimit keeps little: what ran before is in the resource's own history.
	revisionHistoryLimit = 2
)

// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch

// Deployment runs the connector. A Persistent inbox belongs to one pod at a time, so the old pod is gone before the new
// one starts; with an Ephemeral one the new pod takes calls before the old one stops.
var Deployment = Kind{
	Name: "Deployment", Want: wantDeployment, Merge: PodTemplateMerge,
	New: func() client.Object { return &appsv1.Deployment{} },
}

// PodTemplateMerge is Kind.Merge for the lists of a pod template.
var PodTemplateMerge = [][]string{{"name"}, {"topologyKey", "whenUnsatisfiable"}}

func wantDeployment(in Input) runtime.ApplyConfiguration {
	template := in.Keep
	if template == nil {
		template = PodTemplate(in)
	}
	d := appsv1ac.Deployment(ConnectorName(in.Connector.Name), in.Connector.Namespace).
		WithLabels(Labels(in.Connector.Name)).
		WithAnnotations(annotations(in.Connector)).
		WithOwnerReferences(owner(in.Connector)...).
		WithSpec(appsv1ac.DeploymentSpec().
			WithReplicas(Replicas(in.Connector)).
			WithStrategy(strategy(in.Connector)).
			WithProgressDeadlineSeconds(progressDeadlineSeconds).
			WithRevisionHistoryLimit(revisionHistoryLimit).
			WithSelector(metav1ac.LabelSelector().WithMatchLabels(Selector(in.Connector.Name))).
			WithTemplate(template))
	if in.Connector.Generation > 0 { // else there is no operator that would look at them
		d.WithAnnotations(map[string]string{
			marks.AnnotationTemplate:   EncodeTemplate(template),
			marks.AnnotationGeneration: strconv.FormatInt(in.Connector.Generation, 10),
			marks.AnnotationSpec:       SpecDigest(in.Connector),
		})
	}
	if in.Upgrading {
		d.WithAnnotations(map[string]string{marks.AnnotationUpgrading: "true"})
	}
	return d
}

// EncodeTemplate is a pod template as AnnotationTemplate holds it.
func EncodeTemplate(template *corev1ac.PodTemplateSpecApplyConfiguration) string {
	return string(encode(template))
}

// DecodeTemplate reads AnnotationTemplate.
func DecodeTemplate(encoded string) (*corev1ac.PodTemplateSpecApplyConfiguration, error) {
	template := &corev1ac.PodTemplateSpecApplyConfiguration{}
	return template, json.Unmarshal([]byte(encoded), template)
}

// SpecDigest stands for all that a resource declares, but for what changes no pod, its number of pods and the size of a
// Persistent inbox: 16 hex digits.
func SpecDigest(c *v1alpha1.ChannelConnector) string {
	spec := c.Spec.DeepCopy()
	spec.Workload.Replicas = nil
	if spec.Inbox.Keeps(v1alpha1.StoragePersistent) {
		spec.Inbox.Embedded = spec.Inbox.Store()
		spec.Inbox.Embedded.Size = resource.Quantity{}
	}
	sum := sha256.Sum256(encode(spec))
	return hex.EncodeToString(sum[:8])
}

// Replicas is the declared number of pods.
func Replicas(c *v1alpha1.ChannelConnector) int32 { return ptr.Deref(c.Spec.Workload.Replicas, 1) }

func strategy(c *v1alpha1.ChannelConnector) *appsv1ac.DeploymentStrategyApplyConfiguration {
	if c.Spec.Inbox.Keeps(v1alpha1.StoragePersistent) {
		return appsv1ac.DeploymentStrategy().WithType(appsv1.RecreateDeploymentStrategyType)
	}
	return appsv1ac.DeploymentStrategy().
		WithType(appsv1.RollingUpdateDeploymentStrategyType).
		WithRollingUpdate(appsv1ac.RollingUpdateDeployment().
			WithMaxSurge(intstr.FromInt32(1)).WithMaxUnavailable(intstr.FromInt32(0)))
}
