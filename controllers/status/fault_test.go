package status_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"xbot.a4b.vn/channel-connector/controllers/status"
)

// TestUpgradeFault: what a tenant can cause is no evidence against a version of the operator.
func TestUpgradeFault(t *testing.T) {
	refused := func(message string) func(*status.Observation) {
		return func(o *status.Observation) {
			o.Pods = nil
			o.Deployment.Status.Conditions = append(o.Deployment.Status.Conditions, appsv1.DeploymentCondition{
				Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: message,
			})
		}
	}
	waits := func(reason, message string) func(*status.Observation) {
		return down(func(p *corev1.Pod) {
			container(p).State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
		})
	}
	of := func(changes ...func(*status.Observation)) []func(*status.Observation) { return changes }
	unscheduled := down(func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes are available",
		}}
	})
	const forbidden = `pods "shop-connector-7d9" is forbidden: `
	for name, c := range map[string]struct {
		change []func(*status.Observation)
		want   status.Fault
	}{
		"up": {},
		"on its way": {
			of(down()),
			status.FaultNone,
		},
		"a quota, in time": {
			of(down(), refused(forbidden+"exceeded quota: q")),
			status.FaultNone,
		},
		"nothing known": {
			of(down(), late),
			status.FaultVersion,
		},
		"a quota": {
			of(down(), late, refused(forbidden+"exceeded quota: q, requested: pods=1")),
			status.FaultOwn,
		},
		"a quota of limits": {
			of(down(), late, refused(forbidden+"failed quota: q: must specify limits.cpu")),
			status.FaultOwn,
		},
		"a LimitRange": {
			of(down(), late, refused(forbidden+"maximum memory usage per Container is 64Mi, but limit is 1Gi")),
			status.FaultOwn,
		},
		"no ServiceAccount": {
			of(down(), late, refused(forbidden+`error looking up service account chat/a: serviceaccount "a" not found`)),
			status.FaultOwn,
		},
		"no PriorityClass": {
			of(down(), late, refused(forbidden+`no PriorityClass with name a was found`)),
			status.FaultOwn,
		},
		"Pod Security": {
			of(down(), late, refused(forbidden+`violates PodSecurity "restricted:latest"`)),
			status.FaultVersion,
		},
		"no node": {
			of(unscheduled, late),
			status.FaultOwn,
		},
		"the image": {
			of(waits("ImagePullBackOff", "Back-off"), late),
			status.FaultImage,
		},
		"a Secret": {
			of(waits("CreateContainerConfigError", `secret "a" not found`), late),
			status.FaultOwn,
		},
		"a key of a Secret": {
			of(waits("CreateContainerConfigError", `couldn't find key a in Secret chat/a`), late),
			status.FaultOwn,
		},
		"a user that may not be": {
			of(waits("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"), late),
			status.FaultVersion,
		},
		"crashes": {[]func(*status.Observation){down(func(p *corev1.Pod) {
			container(p).RestartCount, container(p).State = 7, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}
			container(p).State.Terminated.StartedAt.Time, container(p).State.Terminated.FinishedAt.Time = start, start
		})}, status.FaultVersion},
	} {
		t.Run(name, func(t *testing.T) {
			if got := status.UpgradeFault(observed(t, c.change...)); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
