package status_test

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// observed is what a pass finds of a connector that is well, with changes.
func observed(tb testing.TB, changes ...func(*status.Observation)) status.Observation {
	tb.Helper()
	c := connectortest.New(tb, `workload: {env: [{name: HTTPS_PROXY, secretKeyRef: {name: proxy, key: url}}]}`)
	c.Generation = 3
	o := status.Observation{
		Connector: c, Judged: true, ConfigWritten: true,
		Workload: status.Workload{
			Deployment: &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Generation: 5},
				Spec:       appsv1.DeploymentSpec{Replicas: new(int32(1))},
				Status: appsv1.DeploymentStatus{
					ObservedGeneration: 5, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
				},
			},
			Pods: []corev1.Pod{pod("new", "2", func(p *corev1.Pod) {
				container(p).Ready, container(p).Started = true, new(true)
				container(p).State.Running = &corev1.ContainerStateRunning{}
			})},
		},
	}
	for _, change := range changes {
		change(&o)
	}
	return o
}

// start is when the pods of the tests were created.
var start = time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)

// pod is a pod of a ReplicaSet, as it is before its container exists. Later ReplicaSets have higher numbers.
func pod(name, replicaSet string, changes ...func(*corev1.Pod)) corev1.Pod {
	created := start.Add(time.Duration(replicaSet[0]-'0') * time.Minute)
	p := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, CreationTimestamp: metav1.NewTime(created),
			Labels: map[string]string{appsv1.DefaultDeploymentUniqueLabelKey: replicaSet},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodPending,
			// A foreign sidecar says nothing of the connector.
			ContainerStatuses: []corev1.ContainerStatus{
				{Name: "sidecar", RestartCount: 9, LastTerminationState: ended("Error", 1, "theirs")},
				{Name: children.ContainerName, Image: "channel-connector:1.0.0", State: waits("ContainerCreating", "")},
			},
		},
	}
	for _, change := range changes {
		change(&p)
	}
	return p
}

// container is the status of the connector's container.
func container(p *corev1.Pod) *corev1.ContainerStatus { return &p.Status.ContainerStatuses[1] }

func waits(reason, message string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
}

// ended is how a container ended that ran for a second.
func ended(reason string, exitCode int32, message string) corev1.ContainerState {
	return endedAfter(time.Second, reason, exitCode, message)
}

func endedAfter(ran time.Duration, reason string, exitCode int32, message string) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
		Reason: reason, ExitCode: exitCode, Message: message,
		StartedAt: metav1.NewTime(start), FinishedAt: metav1.NewTime(start.Add(ran)),
	}}
}

// down is a Deployment whose only pod is the newest, and not available.
func down(changes ...func(*corev1.Pod)) func(*status.Observation) {
	return func(o *status.Observation) {
		o.Deployment.Status.ReadyReplicas, o.Deployment.Status.AvailableReplicas = 0, 0
		o.Pods = []corev1.Pod{pod("new", "2", changes...)}
	}
}

// late is a Deployment that did not come up in time.
func late(o *status.Observation) {
	o.Deployment.Status.Conditions = append(o.Deployment.Status.Conditions, appsv1.DeploymentCondition{
		Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded",
	})
}

// contests are fields that others decide.
func contests(all ...apply.Contest) func(*status.Observation) {
	return func(o *status.Observation) { o.Contests = all }
}
