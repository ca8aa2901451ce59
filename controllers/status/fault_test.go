package status_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// faulty expects what keeps a workload that is past its deadline from coming up.
func faulty(t *testing.T, want status.Fault, change ...func(*status.Observation)) {
	t.Helper()
	if got := status.UpgradeFault(observed(t, append(change, late)...)); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestUpgradeFault: what a tenant can cause is no evidence against a version of the operator.
func TestUpgradeFault(t *testing.T) {
	if got := status.UpgradeFault(observed(t)); got != status.FaultNone {
		t.Errorf("up: got %v", got)
	}
	if got := status.UpgradeFault(observed(t, down())); got != status.FaultNone {
		t.Errorf("on its way: got %v", got)
	}
	faulty(t, status.FaultVersion, down())
	faulty(t, status.FaultOwn, down(func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes are available",
		}}
	}))
	faulty(t, status.FaultVersion, down(func(p *corev1.Pod) {
		ended := &corev1.ContainerStateTerminated{ExitCode: 1}
		ended.StartedAt.Time, ended.FinishedAt.Time = start, start
		container(p).RestartCount, container(p).State = 7, corev1.ContainerState{Terminated: ended}
	}))
}

// TestUpgradeFaultOfARefusal: a quota is the namespace's, and Pod Security may refuse a new field.
func TestUpgradeFaultOfARefusal(t *testing.T) {
	for message, want := range map[string]status.Fault{
		"exceeded quota: q, requested: pods=1":                                            status.FaultOwn,
		"failed quota: q: must specify limits.cpu":                                        status.FaultOwn,
		"maximum memory usage per Container is 64Mi, but limit is 1Gi":                    status.FaultOwn,
		"memory max limit to request ratio per Pod is 2, but provided ratio is 3.000000":  status.FaultOwn,
		"status unknown for quota: q, resources: pods":                                    status.FaultOwn,
		`error looking up service account chat/a: serviceaccount "a" not found`:           status.FaultOwn,
		"no PriorityClass with name a was found":                                          status.FaultOwn,
		`violates PodSecurity "restricted:latest": hostPath volumes (volume "a" uses ...`: status.FaultVersion,
	} {
		t.Run(message, func(t *testing.T) {
			faulty(t, want, down(), func(o *status.Observation) {
				o.Pods = nil
				o.Deployment.Status.Conditions = append(o.Deployment.Status.Conditions, appsv1.DeploymentCondition{
					Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate",
					Message: `pods "shop-connector-7d9" is forbidden: ` + message,
				})
			})
		})
	}
}

// TestUpgradeFaultOfAContainer: a missing Secret is the resource's; a user that the image may not have is the version's.
func TestUpgradeFaultOfAContainer(t *testing.T) {
	for waiting, want := range map[corev1.ContainerStateWaiting]status.Fault{
		{Reason: "ImagePullBackOff", Message: "Back-off"}:                                                      status.FaultImage,
		{Reason: "CreateContainerConfigError", Message: `secret "a" not found`}:                                status.FaultOwn,
		{Reason: "CreateContainerConfigError", Message: "couldn't find key a in Secret chat/a"}:                status.FaultOwn,
		{Reason: "CreateContainerConfigError", Message: "runAsNonRoot is set, and the image will run as root"}: status.FaultVersion,
	} {
		t.Run(waiting.Message, func(t *testing.T) {
			faulty(t, want, down(func(p *corev1.Pod) { container(p).State = corev1.ContainerState{Waiting: &waiting} }))
		})
	}
}

// TestUpgradeFaultOfAPod: containers of others, and the limits that a resource declares, are no evidence against a
// version.
func TestUpgradeFaultOfAPod(t *testing.T) {
	killed := func(p *corev1.Pod) {
		container(p).RestartCount, container(p).State = 7, ended("OOMKilled", 137, "")
	}
	limited := func(resources v1alpha1.Resources) func(*status.Observation) {
		return func(o *status.Observation) { o.Connector.Spec.Workload.Resources = &resources }
	}
	memory, cpu := v1alpha1.Resources{}, v1alpha1.Resources{}
	memory.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")}
	cpu.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
	for name, c := range map[string]struct {
		change []func(*status.Observation)
		want   status.Fault
	}{
		"out of the memory that the resource declares": {[]func(*status.Observation){down(killed), limited(memory)}, status.FaultOwn},
		"out of the memory that the operator gives it": {[]func(*status.Observation){down(killed), limited(cpu)}, status.FaultVersion},
		"out of the memory where nothing is declared":  {[]func(*status.Observation){down(killed)}, status.FaultVersion},
		"crashing, with a limit that the resource declares": {[]func(*status.Observation){limited(memory), down(func(p *corev1.Pod) {
			container(p).RestartCount, container(p).State = 7, ended("Error", 1, "")
		})}, status.FaultVersion},
		"a container of others is not ready": {[]func(*status.Observation){down(func(p *corev1.Pod) {
			container(p).Ready = true
		})}, status.FaultOwn},
		"an init container of others does not end": {[]func(*status.Observation){down(func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodInitialized, Status: corev1.ConditionFalse}}
		})}, status.FaultOwn},
		"no pod is made, and the one before is ready": {[]func(*status.Observation){replicas(1, 1, 0, 1)}, status.FaultVersion},
		"nobody else is in its way": {[]func(*status.Observation){down(func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodInitialized, Status: corev1.ConditionTrue}}
		})}, status.FaultVersion},
	} {
		t.Run(name, func(t *testing.T) { faulty(t, c.want, c.change...) })
	}
}
