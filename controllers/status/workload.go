package status

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
)

// The reasons of WorkloadAvailable.
const (
	ReasonAvailable           = "Available"
	ReasonScaledToZero        = "ScaledToZero"
	ReasonNotCreated          = "NotCreated"
	ReasonStarting            = "Starting"
	ReasonRollingOut          = "RollingOut"
	ReasonScalingDown         = "ScalingDown"
	ReasonUnschedulable       = "Unschedulable"
	ReasonVolumeNotBound      = "VolumeNotBound"
	ReasonImagePullFailed     = "ImagePullFailed"
	ReasonContainerNotCreated = "ContainerNotCreated"
	ReasonCrashLooping        = "CrashLooping"
	ReasonPodsRefused         = "PodsRefused"
	ReasonVolumeNotMounted    = "VolumeNotMounted"
	ReasonNodeLost            = "NodeLost"
	ReasonUnavailable         = "Unavailable"
	ReasonScaledByOthers      = "ScaledByOthers"
)

// progress are the reasons of what takes its time in any roll-out.
var progress = []string{ReasonNotCreated, ReasonStarting, ReasonRollingOut, ReasonScalingDown}

// Trouble reports whether Ready is not True for another reason than a roll-out that takes its time: help may be needed,
// even if the resource is not Stalled yet.
func Trouble(ready *metav1.Condition) bool {
	return ready.Status != metav1.ConditionTrue && !slices.Contains(progress, ready.Reason)
}

// workload judges the Deployment and its pods. While pods of an earlier template take calls, the workload is available;
// Ready says if the new one does not come up.
func workload(o Observation) condition {
	d := o.Deployment
	switch {
	case d == nil:
		return condition{status: metav1.ConditionFalse, reason: ReasonNotCreated, message: "There is no Deployment yet"}
	case wanted(d) == 0 && scaledByOthers(o):
		return condition{metav1.ConditionFalse, ReasonScaledByOthers, "Another client holds the Deployment at 0 replicas: no call is " +
			"answered; the inbox is kept. FieldContested says who", true}
	case wanted(d) == 0 && d.Status.Replicas == 0:
		return condition{status: metav1.ConditionTrue, reason: ReasonScaledToZero, message: "workload.replicas is 0: no call is answered; the " +
			"inbox is kept"}
	case wanted(d) == 0:
		return condition{status: metav1.ConditionFalse, reason: ReasonScalingDown, message: "The last pod is stopping"}
	}
	if d.Status.AvailableReplicas > 0 {
		return condition{status: metav1.ConditionTrue, reason: ReasonAvailable, message: "A pod takes calls"}
	}
	return notYet(o, condition{reason: ReasonStarting, message: "The pod is starting"})
}

// notYet says why the newest pod is not available: its problem, or otherwise the given reason.
func notYet(o Observation, otherwise condition) condition {
	v := otherwise
	if p := problem(o); p != nil {
		v = *p
		v.stalled = p.stalled || pastDeadline(o)
	}
	v.status = metav1.ConditionFalse
	return v
}

// rollingOut is a workload whose older pods take calls.
func rollingOut(d *appsv1.Deployment) condition {
	c := condition{reason: ReasonRollingOut, message: "The pod of the declared template is not available yet"}
	if d.Spec.Paused {
		c.message += fmt.Sprintf(": the Deployment is paused: kubectl rollout resume deployment/%s", d.Name)
	}
	return c
}

// WorkloadStalled reports whether the declared pod does not come up and waiting does not help.
func WorkloadStalled(o Observation) bool {
	return o.Deployment != nil && wanted(o.Deployment) > 0 && !o.rolledOut() && notYet(o, condition{}).stalled
}

func wanted(d *appsv1.Deployment) int32 { return ptr.Deref(d.Spec.Replicas, 1) }

// RolledOut reports whether every wanted pod, and no other, is available with the Deployment's newest template.
func RolledOut(d *appsv1.Deployment) bool {
	return Workload{Deployment: d}.rolledOut()
}

func (o Workload) rolledOut() bool {
	d := o.Deployment
	return o.current() &&
		d.Status.UpdatedReplicas == wanted(d) &&
		d.Status.AvailableReplicas == wanted(d) &&
		d.Status.Replicas == wanted(d)
}

// DeadlineExceeded reports whether the newest roll-out did not come up in time.
func DeadlineExceeded(d *appsv1.Deployment) bool {
	return Workload{Deployment: d}.deadlineExceeded()
}

func (o Workload) deadlineExceeded() bool {
	progressing := o.condition(appsv1.DeploymentProgressing)
	return progressing != nil && progressing.Status == corev1.ConditionFalse
}

// current reports whether the Deployment's status is of its present spec.
func (o Workload) current() bool {
	return o.Unchanged || o.Deployment.Status.ObservedGeneration >= o.Deployment.Generation
}

// condition returns a condition of the Deployment; nil where there is none, or where it is of an earlier spec.
func (o Workload) condition(kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	if !o.current() {
		return nil
	}
	return first(o.Deployment.Status.Conditions, func(c appsv1.DeploymentCondition) bool { return c.Type == kind })
}

// first returns the first element that is so; nil if none is.
func first[T any](all []T, is func(T) bool) *T {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return &all[i]
	}
	return nil
}

// problem says what keeps the newest pod from coming up; nil if that only takes time.
func problem(o Observation) *condition {
	if !o.current() {
		return nil // the pods are of an earlier template
	}
	v := cmp.Or(said(o), quoted(o))
	if lost := nodeLost(o, v); lost != nil {
		return lost
	}
	if v == nil && pastDeadline(o) {
		return &condition{reason: unavailable(o), message: "The pod did not become available in time: see its events and logs"}
	}
	return v
}

// said is the problem that the Deployment or the newest pods state; nil if they are silent.
func said(o Observation) *condition {
	if failure := o.condition(appsv1.DeploymentReplicaFailure); failure != nil && failure.Status == corev1.ConditionTrue {
		return &condition{reason: ReasonPodsRefused, message: "The cluster refuses the pod: " + failure.Message}
	}
	for _, pod := range newest(o.Pods) {
		if v := cmp.Or(unschedulable(o, pod), waiting(o, pod), crashing(pod)); v != nil {
			return v
		}
	}
	return nil
}

// newest returns the pods of the newest template, the newest first, without pods that are ending or have ended.
func newest(pods []corev1.Pod) []*corev1.Pod {
	var living []*corev1.Pod
	for i := range pods {
		p := &pods[i]
		if p.DeletionTimestamp == nil && !ended(p) {
			living = append(living, p)
		}
	}
	slices.SortFunc(living, func(a, b *corev1.Pod) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	template := func(p *corev1.Pod) string { return p.Labels[appsv1.DefaultDeploymentUniqueLabelKey] }
	return slices.DeleteFunc(living, func(p *corev1.Pod) bool { return template(p) != template(living[0]) })
}

// volumeWords are in the scheduler's messages about volumes that no pod can get.
var volumeWords = regexp.MustCompile(`(?i)persistent ?volume|binding volumes`)

func unschedulable(o Observation, pod *corev1.Pod) *condition {
	c := podCondition(pod, corev1.PodScheduled)
	if c == nil || c.Status != corev1.ConditionFalse ||
		c.Reason != corev1.PodReasonUnschedulable && c.Reason != corev1.PodReasonSchedulerError {
		return nil
	}
	if store := o.Connector.Spec.Inbox.Store(); store != nil && volumeWords.MatchString(c.Message) {
		return &condition{reason: ReasonVolumeNotBound, message: fmt.Sprintf("The inbox's volume of %s cannot be bound: %s: check "+
			"inbox.embedded.storageClassName and that the class can make volumes",
			class(store), strings.TrimSuffix(c.Message, "."))}
	}
	return &condition{reason: ReasonUnschedulable, message: "No node takes the pod: " + c.Message}
}

// class is that of the inbox's volume.
func class(store *v1alpha1.EmbeddedInbox) string {
	if store.StorageClassName != "" {
		return fmt.Sprintf("StorageClass %q", store.StorageClassName)
	}
	return "the cluster's default StorageClass"
}

// waitingReasons are the reasons of waiting containers that waiting does not help.
var waitingReasons = map[string]string{
	"ErrImagePull":               ReasonImagePullFailed,
	"ImagePullBackOff":           ReasonImagePullFailed,
	"InvalidImageName":           ReasonImagePullFailed,
	"ErrImageNeverPull":          ReasonImagePullFailed,
	"RegistryUnavailable":        ReasonImagePullFailed,
	"SignatureValidationFailed":  ReasonImagePullFailed,
	"CreateContainerConfigError": ReasonContainerNotCreated,
	"CreateContainerError":       ReasonContainerNotCreated,
	"RunContainerError":          ReasonContainerNotCreated,
}

func waiting(o Observation, pod *corev1.Pod) *condition {
	c := connectorStatus(pod)
	if c == nil || c.State.Waiting == nil {
		return nil
	}
	reason := waitingReasons[c.State.Waiting.Reason]
	switch {
	case reason == ReasonImagePullFailed:
		// The message alternates between what failed and how long it waits, and must not make the status flap.
		return &condition{reason: reason, message: fmt.Sprintf("The image %q cannot be pulled: check the operator's --connector-image and "+
			"workload.imagePullSecrets, and see the pod's events", c.Image)}
	case reason == ReasonContainerNotCreated && c.LastTerminationState.Terminated != nil && c.RestartCount > 0:
		// It waits in turns with this and with CrashLoopBackOff: see crashing.
		return nil
	case reason == ReasonContainerNotCreated:
		return &condition{reason: reason, message: "The container cannot be created: " + c.State.Waiting.Message +
			variables(o.Connector.Spec.Workload, c.State.Waiting.Message)}
	}
	return nil
}

// variables names the environment variables whose Secrets are named by the kubelet's words: "secret \"proxy\" not
// found", or "couldn't find key url in Secret chat/proxy".
func variables(w v1alpha1.Workload, words string) string {
	said := func(word string) bool {
		return slices.Contains(strings.FieldsFunc(words, func(r rune) bool { return strings.ContainsRune(` /":,`, r) }), word)
	}
	var named []string
	for _, v := range w.Env {
		if v.SecretKeyRef != nil && said(v.SecretKeyRef.Name) {
			named = append(named, fmt.Sprintf("%s needs Secret %q, key %q", v.Name, v.SecretKeyRef.Name, v.SecretKeyRef.Key))
		}
	}
	if named == nil {
		return ""
	}
	return ": workload.env: " + strings.Join(named, ", ")
}

const (
	// reasonOutOfMemory is that of a container that took more memory than its limit.
	reasonOutOfMemory = "OOMKilled"
	// stalledAfter is the number of crashes after which another start does not help. kubelet waits minutes between two
	// starts then.
	stalledAfter = 5
	// lastingRun is after how long kubelet considers a container well, and waits no longer before its next start.
	lastingRun = 10 * time.Minute
)

// crashing quotes why the container ended last, both while it waits for its next start and while it starts.
func crashing(pod *corev1.Pod) *condition {
	c := connectorStatus(pod)
	if c == nil || c.RestartCount == 0 || (c.Started != nil && *c.Started) {
		return nil
	}
	ended := cmp.Or(c.State.Terminated, c.LastTerminationState.Terminated)
	if ended == nil {
		return nil
	}
	v := &condition{reason: ReasonCrashLooping, message: "The container ended and is started again: "}
	// One crash may be an accident, and a pod counts the crashes of its whole life.
	if c.RestartCount > 1 && !lasted(ended) {
		v.message, v.stalled = "The container ends again and again: ", c.RestartCount >= stalledAfter
	}
	v.message += fmt.Sprintf("%s, exit code %d", ended.Reason, ended.ExitCode)
	if ended.Reason == reasonOutOfMemory {
		v.message += ": raise workload.resources.limits.memory"
	}
	if said := lastLine(ended.Message); said != "" {
		v.message += ": " + said
	}
	return v
}

// lasted reports whether a container ran well for a while, or may have: there are no times if it ended with its node.
func lasted(ended *corev1.ContainerStateTerminated) bool {
	return ended.StartedAt.IsZero() || ended.FinishedAt.Sub(ended.StartedAt.Time) >= lastingRun
}

func connectorStatus(pod *corev1.Pod) *corev1.ContainerStatus {
	return first(pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool { return c.Name == children.ContainerName })
}

// lastLine is the last line of a log, without the time if it is structured: a program's last line says why it ended.
func lastLine(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	var record struct {
		Message string `json:"msg"`
		Error   string `json:"err"`
	}
	if json.Unmarshal([]byte(last), &record) != nil || record.Message == "" {
		return last
	}
	return strings.TrimSuffix(record.Message+": "+record.Error, ": ")
}
