package status_test

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

const (
	starting   = "Starting: The pod is starting"
	rollingOut = "RollingOut: The pod of the declared template is not available yet"
	tooLate    = "RollingOut: The pod did not become available in time: see its events and logs"
)

// replicas changes how many pods the Deployment says that it has.
func replicas(wanted, total, updated, available int32) func(*status.Observation) {
	return func(o *status.Observation) {
		o.Deployment.Spec.Replicas = &wanted
		o.Deployment.Status.Replicas, o.Deployment.Status.UpdatedReplicas = total, updated
		o.Deployment.Status.AvailableReplicas = available
	}
}

// TestPaused: who paused a Deployment is told how to go on, unless nothing waits for that.
func TestPaused(t *testing.T) {
	paused := func(o *status.Observation) { o.Deployment.Name, o.Deployment.Spec.Paused = "shop-connector", true }
	verify(t, observed(t, paused), expected{})
	verify(t, observed(t, paused, replicas(1, 1, 0, 1)), expected{
		reconciling: rollingOut + ": the Deployment is paused: kubectl rollout resume deployment/shop-connector",
	})
}

// TestWorkload has the life of a Deployment without trouble.
func TestWorkload(t *testing.T) {
	const zero = "True ScaledToZero: workload.replicas is 0: no call is answered; the inbox is kept"
	for name, c := range map[string]struct {
		change []func(*status.Observation)
		want   expected
	}{
		"new": {
			[]func(*status.Observation){func(o *status.Observation) { o.Deployment, o.Pods = nil, nil }},
			expected{reconciling: "NotCreated: There is no Deployment yet", available: "False NotCreated: There is no Deployment yet"},
		},
		"without a pod yet": {
			[]func(*status.Observation){replicas(1, 0, 0, 0), func(o *status.Observation) { o.Pods = nil }},
			expected{reconciling: starting, available: "False " + starting},
		},
		"not seen by its controller yet": {
			[]func(*status.Observation){func(o *status.Observation) {
				o.Deployment.Status, o.Deployment.Spec.Replicas, o.Pods = appsv1.DeploymentStatus{}, nil, nil
			}},
			expected{reconciling: starting, available: "False " + starting},
		},
		"starting": {
			[]func(*status.Observation){down()},
			expected{reconciling: starting, available: "False " + starting},
		},
		"starting, its container running": {
			[]func(*status.Observation){down(func(p *corev1.Pod) {
				container(p).State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
			})},
			expected{reconciling: starting, available: "False " + starting},
		},
		"starting, without a status of its container": {
			[]func(*status.Observation){down(func(p *corev1.Pod) { p.Status.ContainerStatuses = nil })},
			expected{reconciling: starting, available: "False " + starting},
		},
		"changed, and not seen by its controller yet": {
			[]func(*status.Observation){func(o *status.Observation) { o.Deployment.Generation++ }},
			expected{reconciling: rollingOut},
		},
		"rolling out, the old pod serving": {
			[]func(*status.Observation){replicas(1, 2, 1, 1), func(o *status.Observation) { o.Pods = append(o.Pods, pod("newer", "3")) }},
			expected{reconciling: rollingOut},
		},
		"rolled out, the old pod stopping": {
			[]func(*status.Observation){replicas(1, 2, 1, 2)},
			expected{reconciling: rollingOut},
		},
		"rolling out, no pod serving": {
			[]func(*status.Observation){replicas(1, 1, 1, 0), func(o *status.Observation) { o.Pods = []corev1.Pod{pod("newer", "3")} }},
			expected{reconciling: starting, available: "False " + starting},
		},
		"too late, nothing known": {
			[]func(*status.Observation){down(), late},
			expected{stalled: tooLate, available: "False " + tooLate},
		},
		"too late, the old pod serving": {
			[]func(*status.Observation){replicas(1, 2, 1, 1), late},
			expected{stalled: tooLate},
		},
		"too late, and changed since": {
			[]func(*status.Observation){down(), late, func(o *status.Observation) { o.Deployment.Generation++ }},
			expected{reconciling: starting, available: "False " + starting},
		},
		"scaled to zero": {
			[]func(*status.Observation){replicas(0, 0, 0, 0), func(o *status.Observation) { o.Pods = nil }},
			expected{ready: zero, available: zero},
		},
		"scaling down": {
			[]func(*status.Observation){replicas(0, 1, 1, 1)},
			expected{reconciling: "ScalingDown: The last pod is stopping", available: "False ScalingDown: The last pod is stopping"},
		},
		"scaling up": {
			[]func(*status.Observation){replicas(1, 0, 0, 0), func(o *status.Observation) { o.Pods = nil; o.Deployment.Generation++ }},
			expected{reconciling: starting, available: "False " + starting},
		},
	} {
		t.Run(name, func(t *testing.T) { verify(t, observed(t, c.change...), c.want) })
	}
}

func unscheduled(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: reason, Message: message,
		}}
	}
}

func waitsWith(reason, message string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { container(p).State = waits(reason, message) }
}

// crashed is a container that ended, and waits or not.
func crashed(times int32, state, last corev1.ContainerState) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		container(p).RestartCount, container(p).State, container(p).LastTerminationState = times, state, last
	}
}

// trouble is what keeps a pod from coming up, by what is said of it.
var trouble = map[string]struct {
	pod  func(*corev1.Pod)
	want string
	// stalled says that waiting does not help even before the deadline.
	stalled bool
}{
	"no room": {
		pod:  unscheduled("Unschedulable", "0/3 nodes are available: 3 Insufficient memory."),
		want: "Unschedulable: No node takes the pod: 0/3 nodes are available: 3 Insufficient memory.",
	},
	"a foreign gate": {
		pod:  unscheduled("SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates"),
		want: starting,
	},
	"a volume of no class": {
		pod: unscheduled("Unschedulable", "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."),
		want: "VolumeNotBound: The inbox's volume of the cluster's default StorageClass cannot be bound: 0/1 nodes are available: " +
			"pod has unbound immediate PersistentVolumeClaims" +
			": check inbox.embedded.storageClassName and that the class can make volumes",
	},
	"no volume": {
		pod: unscheduled("Unschedulable", "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind."),
		want: "VolumeNotBound: The inbox's volume of the cluster's default StorageClass cannot be bound: 0/1 nodes are available: " +
			"1 node(s) didn't find available persistent volumes to bind" +
			": check inbox.embedded.storageClassName and that the class can make volumes",
	},
	"no claim": {
		pod: unscheduled("Unschedulable", `0/1 nodes are available: persistentvolumeclaim "shop-connector" not found.`),
		want: `VolumeNotBound: The inbox's volume of the cluster's default StorageClass cannot be bound: 0/1 nodes are available: ` +
			`persistentvolumeclaim "shop-connector" not found` +
			": check inbox.embedded.storageClassName and that the class can make volumes",
	},
	"a class that makes no volumes": {
		pod: unscheduled("SchedulerError", `running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded`),
		want: `VolumeNotBound: The inbox's volume of the cluster's default StorageClass cannot be bound: ` +
			`running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded` +
			": check inbox.embedded.storageClassName and that the class can make volumes",
	},
	"a scheduler that fails otherwise": {
		pod:  unscheduled("SchedulerError", "nodes are unknown"),
		want: "Unschedulable: No node takes the pod: nodes are unknown",
	},

	"an image that is not there": {
		pod: waitsWith("ErrImagePull", `failed to pull "channel-connector:1.0.0": not found`),
		want: `ImagePullFailed: The image "channel-connector:1.0.0" cannot be pulled: ` +
			`check the operator's --connector-image and workload.imagePullSecrets, and see the pod's events`,
	},
	"the same, a moment later": {
		pod: waitsWith("ImagePullBackOff", `Back-off pulling image "channel-connector:1.0.0"`),
		want: `ImagePullFailed: The image "channel-connector:1.0.0" cannot be pulled: ` +
			`check the operator's --connector-image and workload.imagePullSecrets, and see the pod's events`,
	},
	"no name of an image": {
		pod: waitsWith("InvalidImageName", "couldn't parse image name"),
		want: `ImagePullFailed: The image "channel-connector:1.0.0" cannot be pulled: ` +
			`check the operator's --connector-image and workload.imagePullSecrets, and see the pod's events`,
	},
	"a Secret that cannot be mounted": {
		pod:  waitsWith("CreateContainerConfigError", `secret "shop-connector" not found`),
		want: `ContainerNotCreated: The container cannot be created: secret "shop-connector" not found`,
	},
	"a Secret of a variable that is not there": {
		pod: waitsWith("CreateContainerConfigError", `secret "proxy" not found`),
		want: `ContainerNotCreated: The container cannot be created: secret "proxy" not found: workload.env: ` +
			`HTTPS_PROXY needs Secret "proxy", key "url"`,
	},
	"its key that is not there": {
		pod: waitsWith("CreateContainerConfigError", `couldn't find key url in Secret chat/proxy`),
		want: `ContainerNotCreated: The container cannot be created: couldn't find key url in Secret chat/proxy: workload.env: ` +
			`HTTPS_PROXY needs Secret "proxy", key "url"`,
	},
	"a program that is not there": {
		pod:  waitsWith("RunContainerError", `exec: "connector": executable file not found in $PATH`),
		want: `ContainerNotCreated: The container cannot be created: exec: "connector": executable file not found in $PATH`,
	},
	"nothing known": {pod: waitsWith("PodInitializing", ""), want: starting},

	"the first end": {
		pod:  crashed(0, ended("Error", 1, "no"), corev1.ContainerState{}),
		want: starting,
	},
	"a first crash": {
		pod:  crashed(1, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, ended("Error", 1, "")),
		want: "CrashLooping: The container ended and is started again: Error, exit code 1",
	},
	"a second crash": {
		pod:  crashed(2, waits("CrashLoopBackOff", "back-off 20s restarting failed container"), ended("Error", 2, "a\nb\n")),
		want: "CrashLooping: The container ends again and again: Error, exit code 2: b",
	},
	"a second crash, a moment earlier": {
		pod:  crashed(2, ended("Error", 2, "a\nb"), ended("Error", 1, "c")),
		want: "CrashLooping: The container ends again and again: Error, exit code 2: b",
	},
	"a fourth crash": {
		pod:  crashed(4, corev1.ContainerState{}, ended("Completed", 0, "")),
		want: "CrashLooping: The container ends again and again: Completed, exit code 0",
	},
	"a fifth crash": {
		pod:     crashed(5, waits("CrashLoopBackOff", "back-off 2m40s"), ended("Error", 1, "no space")),
		want:    "CrashLooping: The container ends again and again: Error, exit code 1: no space",
		stalled: true,
	},
	"too little memory": {
		pod:     crashed(9, waits("CrashLoopBackOff", "back-off 5m0s"), ended("OOMKilled", 137, "")),
		want:    "CrashLooping: The container ends again and again: OOMKilled, exit code 137: raise workload.resources.limits.memory",
		stalled: true,
	},
	"a structured last line": {
		pod: crashed(2, corev1.ContainerState{}, ended("Error", 1,
			`{"time":"2026-11-25T08:00:00Z","level":"INFO","msg":"starting"}`+"\n"+
				`{"time":"2026-11-25T08:00:01.5Z","level":"ERROR","msg":"the inbox cannot be opened","err":"disk full","elapsed":1234}`+"\n")),
		want: "CrashLooping: The container ends again and again: Error, exit code 1: the inbox cannot be opened: disk full",
	},
	"a structured last line without an error": {
		pod:  crashed(2, corev1.ContainerState{}, ended("Error", 1, `{"time":"2026-11-25T08:00:00Z","msg":"stopped"}`)),
		want: "CrashLooping: The container ends again and again: Error, exit code 1: stopped",
	},
	"a last line of other JSON": {
		pod:  crashed(2, corev1.ContainerState{}, ended("Error", 1, `{"reason":"x"}`)),
		want: `CrashLooping: The container ends again and again: Error, exit code 1: {"reason":"x"}`,
	},
	"a program that cannot be started, between two attempts": {
		pod:  crashed(3, waits("CrashLoopBackOff", "back-off 40s"), ended("StartError", 128, "exec: no such file")),
		want: "CrashLooping: The container ends again and again: StartError, exit code 128: exec: no such file",
	},
	"the same, at an attempt": {
		pod:  crashed(3, waits("RunContainerError", "exec: no such file"), ended("StartError", 128, "exec: no such file")),
		want: "CrashLooping: The container ends again and again: StartError, exit code 128: exec: no such file",
	},
	"many crashes in a year, the last one after a day": {
		pod:  crashed(12, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, endedAfter(24*time.Hour, "Error", 1, "no")),
		want: "CrashLooping: The container ended and is started again: Error, exit code 1: no",
	},
	"many crashes, the last one with the node": {
		pod: crashed(12, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{Reason: "Unknown", ExitCode: 255},
		}),
		want: "CrashLooping: The container ended and is started again: Unknown, exit code 255",
	},
	"a crash long ago, and not ready now": {
		pod: func(p *corev1.Pod) {
			crashed(3, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, ended("Error", 1, "no"))(p)
			container(p).Started = new(true)
		},
		want: starting,
	},
}

// TestTrouble has each by itself, after the deadline, while an older pod serves, and in a pod that does not matter.
func TestTrouble(t *testing.T) {
	for name, c := range trouble {
		known := c.want != starting
		t.Run(name, func(t *testing.T) {
			want := expected{reconciling: c.want, available: "False " + c.want}
			if c.stalled {
				want = expected{stalled: c.want, available: "False " + c.want}
			}
			verify(t, observed(t, down(c.pod)), want)
		})
		t.Run(name+", after the deadline", func(t *testing.T) {
			text := c.want
			if !known {
				text = tooLate
			}
			verify(t, observed(t, down(c.pod), late), expected{stalled: text, available: "False " + text})
		})
		t.Run(name+", while an older pod serves", func(t *testing.T) {
			text := c.want
			if !known {
				text = rollingOut
			}
			want := expected{reconciling: text}
			if c.stalled {
				want = expected{stalled: text}
			}
			newer := func(o *status.Observation) { o.Pods = append(o.Pods, pod("newer", "3", c.pod)) }
			verify(t, observed(t, replicas(1, 2, 1, 1), newer), want)
		})
		t.Run(name+", in a pod that does not matter", func(t *testing.T) {
			going := pod("going", "2", c.pod)
			going.DeletionTimestamp = new(metav1.NewTime(start))
			evicted := pod("evicted", "2", c.pod, func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed })
			others := func(o *status.Observation) {
				o.Pods = append(o.Pods, pod("older", "1", c.pod), going, evicted)
			}
			verify(t, observed(t, down(), others), expected{reconciling: starting, available: "False " + starting})
		})
		t.Run(name+", before the controller has seen a change", func(t *testing.T) {
			changed := func(o *status.Observation) { o.Deployment.Generation++ }
			verify(t, observed(t, down(c.pod), late, changed), expected{reconciling: starting, available: "False " + starting})
		})
	}
}

// TestPodsRefused: a quota or a policy speaks through the Deployment.
func TestPodsRefused(t *testing.T) {
	refused := func(is corev1.ConditionStatus) func(*status.Observation) {
		return func(o *status.Observation) {
			o.Deployment.Status.Conditions = append(o.Deployment.Status.Conditions, appsv1.DeploymentCondition{
				Type: appsv1.DeploymentReplicaFailure, Status: is, Reason: "FailedCreate", Message: "exceeded quota: pods=1",
			})
			o.Pods = nil
		}
	}
	const want = "PodsRefused: The cluster refuses the pod: exceeded quota: pods=1"
	verify(t, observed(t, down(), refused(corev1.ConditionTrue)), expected{reconciling: want, available: "False " + want})
	verify(t, observed(t, down(), refused(corev1.ConditionTrue), late), expected{stalled: want, available: "False " + want})
	verify(t, observed(t, down(), refused(corev1.ConditionFalse)), expected{reconciling: starting, available: "False " + starting})
	verify(t, observed(t, replicas(1, 1, 0, 1), refused(corev1.ConditionTrue)), expected{reconciling: want})
}

// TestVolumeOfAClass: the class that is declared is named, as the scheduler does not.
func TestVolumeOfAClass(t *testing.T) {
	o := observed(t, down(unscheduled("Unschedulable", "pod has unbound immediate PersistentVolumeClaims.")))
	o.Connector.Spec.Inbox.Embedded = &v1alpha1.EmbeddedInbox{StorageClassName: "fast"}
	got := conditions(status.Compute(o))["Ready"]
	if !strings.Contains(got, `The inbox's volume of StorageClass "fast" cannot be bound: pod has`) {
		t.Errorf("got %s", got)
	}
}

// TestNewestPod: of several pods of one template, the newest with a problem speaks, whatever their order in the list.
func TestNewestPod(t *testing.T) {
	older := pod("a", "2", unscheduled("Unschedulable", "older"))
	newer := pod("b", "2", unscheduled("Unschedulable", "newer"))
	newer.CreationTimestamp = metav1.NewTime(older.CreationTimestamp.Add(time.Second))
	same := pod("c", "2", unscheduled("Unschedulable", "the same age"))
	for _, pods := range [][]corev1.Pod{{older, newer, same}, {same, newer, older}} {
		o := observed(t, down())
		o.Pods = pods
		if got := conditions(status.Compute(o))["Ready"]; !strings.HasSuffix(got, ": newer") {
			t.Errorf("got %s", got)
		}
		o.Pods = []corev1.Pod{pods[0], pods[2]}
		if got := conditions(status.Compute(o))["Ready"]; !strings.HasSuffix(got, ": older") {
			t.Errorf("got %s", got)
		}
	}
}
