package children

import (
	"cmp"
	"path"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// ContainerName is the name of the connector's container.
const ContainerName = "connector"

const (
	portProbes = "metrics"

	volumeConfig = "config"
	volumeInbox  = "inbox"
	volumeRun    = "run"

	// user and group of the image; any number but 0 would do.
	nonRoot = 65532
	// secretMode lets the group read the configuration, which fsGroup makes the process's own.
	secretMode = 0o440
	// secretModeCluster lets everybody in the container read it: without fsGroup, which a cluster may leave out, it
	// belongs to root alone. No other container has the volume.
	secretModeCluster = 0o444
	// recoverySeconds is how long an inbox may take to be recovered at the start.
	recoverySeconds = 300
)

// PodTemplate is made so that a namespace that enforces Pod Security "restricted" takes the pods.
func PodTemplate(in Input) *corev1ac.PodTemplateSpecApplyConfiguration {
	w := in.Connector.Spec.Workload
	return corev1ac.PodTemplateSpec().
		WithLabels(as[map[string]string](w.PodLabels)).
		WithLabels(Labels(in.Connector.Name)).
		WithAnnotations(as[map[string]string](w.PodAnnotations)).
		WithAnnotations(map[string]string{marks.AnnotationStartDigest: in.StartDigest}).
		WithSpec(podSpec(in))
}

func podSpec(in Input) *corev1ac.PodSpecApplyConfiguration {
	w := in.Connector.Spec.Workload
	spec := corev1ac.PodSpec().
		WithAutomountServiceAccountToken(mountsToken(in.Connector)).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(w.TerminationGracePeriodSeconds).
		WithServiceAccountName(cmp.Or(w.ServiceAccountName, ConnectorName(in.Connector.Name))).
		WithSecurityContext(podSecurity(w)).
		WithContainers(container(in)).
		WithVolumes(corev1ac.Volume().WithName(volumeConfig).WithSecret(corev1ac.SecretVolumeSource().
			WithSecretName(ConnectorName(in.Connector.Name)).WithDefaultMode(configMode(w)))).
		WithVolumes(inboxVolume(in.Connector)...).
		WithVolumes(runVolume()).
		WithNodeSelector(map[string]string{corev1.LabelOSStable: string(corev1.Linux)}). // the image's only system
		WithNodeSelector(as[map[string]string](w.NodeSelector))
	spec.Tolerations = as[[]corev1ac.TolerationApplyConfiguration](w.Tolerations)
	spec.TopologySpreadConstraints = as[[]corev1ac.TopologySpreadConstraintApplyConfiguration](w.TopologySpreadConstraints)
	spec.Affinity = as[*corev1ac.AffinityApplyConfiguration](w.Affinity)
	spec.ImagePullSecrets = as[[]corev1ac.LocalObjectReferenceApplyConfiguration](w.ImagePullSecrets)
	if w.PriorityClassName != "" {
		spec.WithPriorityClassName(w.PriorityClassName)
	}
	return spec
}

// podSecurity leaves the ids to the cluster if the resource asks for that. A cluster that gives none runs the image's
// own user.
func podSecurity(w v1alpha1.Workload) *corev1ac.PodSecurityContextApplyConfiguration {
	context := corev1ac.PodSecurityContext().
		WithRunAsNonRoot(true).
		WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
		WithSeccompProfile(corev1ac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))
	if w.UserIDs != v1alpha1.UserIDsCluster {
		context.WithRunAsUser(nonRoot).WithRunAsGroup(nonRoot).WithFSGroup(nonRoot)
	}
	return context
}

func configMode(w v1alpha1.Workload) int32 {
	if w.UserIDs == v1alpha1.UserIDsCluster {
		return secretModeCluster
	}
	return secretMode
}

func container(in Input) *corev1ac.ContainerApplyConfiguration {
	webhook, _ := scheme(in.Connector)
	c := corev1ac.Container().
		WithName(ContainerName).
		WithImage(in.Image).
		WithArgs("serve", "--config", render.Directory+"/"+render.FileName).
		WithPorts(
			corev1ac.ContainerPort().WithName(webhook).WithContainerPort(render.PortWebhook).WithProtocol(corev1.ProtocolTCP),
			corev1ac.ContainerPort().WithName(portProbes).WithContainerPort(render.PortProbes).WithProtocol(corev1.ProtocolTCP)).
		WithResources(containerResources(in.Connector)).
		WithStartupProbe(probe("/healthz").WithPeriodSeconds(1).WithFailureThreshold(recoverySeconds)).
		WithReadinessProbe(probe("/readyz").WithPeriodSeconds(2).WithFailureThreshold(1)).
		WithLivenessProbe(probe("/healthz").WithPeriodSeconds(10).WithFailureThreshold(6)).
		// The last lines of the log tell why a container ended, where nothing else does.
		WithTerminationMessagePolicy(corev1.TerminationMessageFallbackToLogsOnError).
		WithSecurityContext(corev1ac.SecurityContext().
			WithAllowPrivilegeEscalation(false).WithReadOnlyRootFilesystem(true).
			WithCapabilities(corev1ac.Capabilities().WithDrop("ALL"))).
		WithVolumeMounts(corev1ac.VolumeMount().WithName(volumeConfig).WithMountPath(render.Directory).WithReadOnly(true)).
		WithVolumeMounts(inboxMount(in.Connector)...).
		WithVolumeMounts(corev1ac.VolumeMount().WithName(volumeRun).WithMountPath(path.Dir(config.SystemSocket)))
	for _, variable := range in.Connector.Spec.Workload.Env {
		c.WithEnv(env(variable))
	}
	return c
}

func env(variable v1alpha1.EnvVar) *corev1ac.EnvVarApplyConfiguration {
	out := corev1ac.EnvVar().WithName(variable.Name)
	if ref := variable.SecretKeyRef; ref != nil {
		return out.WithValueFrom(corev1ac.EnvVarSource().
			WithSecretKeyRef(corev1ac.SecretKeySelector().WithName(ref.Name).WithKey(ref.Key)))
	}
	return out.WithValue(variable.Value)
}

func probe(path string) *corev1ac.ProbeApplyConfiguration {
	return corev1ac.Probe().
		WithHTTPGet(corev1ac.HTTPGetAction().WithPath(path).WithPort(intstr.FromString(portProbes))).
		WithTimeoutSeconds(5)
}

// inboxVolume is where an Embedded inbox is; others need none.
func inboxVolume(c *v1alpha1.ChannelConnector) []*corev1ac.VolumeApplyConfiguration {
	volume := corev1ac.Volume().WithName(volumeInbox)
	switch {
	case c.Spec.Inbox.Store() == nil:
		return nil
	case c.Spec.Inbox.Keeps(v1alpha1.StoragePersistent):
		volume.WithPersistentVolumeClaim(corev1ac.PersistentVolumeClaimVolumeSource().WithClaimName(ConnectorName(c.Name)))
	default:
		volume.WithEmptyDir(corev1ac.EmptyDirVolumeSource().WithSizeLimit(volumeSize(c)))
	}
	return []*corev1ac.VolumeApplyConfiguration{volume}
}

func inboxMount(c *v1alpha1.ChannelConnector) []*corev1ac.VolumeMountApplyConfiguration {
	if c.Spec.Inbox.Store() == nil {
		return nil
	}
	return []*corev1ac.VolumeMountApplyConfiguration{corev1ac.VolumeMount().WithName(volumeInbox).WithMountPath(render.InboxVolume)}
}

// runVolumeSize is far above what a socket takes of the container's memory.
var runVolumeSize = resource.MustParse("1Mi")

// runVolume holds the socket for the command line, which needs a place to be made in: the root file system is
// read-only.
func runVolume() *corev1ac.VolumeApplyConfiguration {
	return corev1ac.Volume().WithName(volumeRun).WithEmptyDir(corev1ac.EmptyDirVolumeSource().
		WithMedium(corev1.StorageMediumMemory).WithSizeLimit(runVolumeSize))
}
