package controllers

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// touches are the times, after a change of the configuration, at which the pods' metadata is touched. kubelet refreshes
// a mounted Secret if the pod changes, otherwise about once a minute. The later ones are for a kubelet that hears of
// the pod before it hears of the Secret.
var touches = []time.Duration{0, time.Second, 5 * time.Second}

// child reads the resource's child of an object's kind, as the cache has it, and reports whether there is one. Another
// owner's is as good as none.
func (p *pass) child(ctx context.Context, into client.Object) (found bool, err error) {
	err = p.Own.Get(ctx, client.ObjectKey{Namespace: p.key.Namespace, Name: children.ConnectorName(p.key.Name)}, into)
	return err == nil && apply.Belongs(into, p.connector), client.IgnoreNotFound(err)
}

// observed is the workload after the writes.
type observed struct {
	status.Workload
	// hear is after how long events are to be read again; 0 for never.
	hear time.Duration
}

// observeWorkload looks at the Deployment as it is after the writes, and at its pods.
func (p *pass) observeWorkload(ctx context.Context) (o observed, err error) {
	o.Now = p.Clock.Now()
	d := &appsv1.Deployment{}
	if found, err := p.child(ctx, d); !found {
		return o, err
	}
	o.Deployment = d
	pods, err := p.pods(ctx)
	if err != nil {
		return o, err
	}
	if o.Unchanged, err = p.unchanged(o.Deployment); err != nil {
		return o, err
	}
	o.Pods, o.Quoted = pods, p.kept.quoted
	seen := status.Observation{Connector: p.connector, Workload: o.Workload}
	if pod, silent := status.Silent(seen); silent {
		seen.Warnings, o.hear = p.hearWarnings(ctx, o.Deployment, pod), hearAgain
	}
	o.Warnings, o.Quoted = seen.Warnings, status.Quote(seen)
	p.kept.quoted = o.Quoted
	return o, nil
}

// maxPods bounds the pods of a resource that a pass looks at. It has one, and for a moment two.
const maxPods = 16

// pods are the resource's, of many the newest ones, and sooner those that have not ended. They are the cache's own, and
// must not be changed.
//
// The name of a pod's owner keeps out what merely bears the labels. It proves nothing, since the operator may not read
// ReplicaSets: whoever may write pods can forge it, and gets as much as maxPods of them.
func (p *pass) pods(ctx context.Context) ([]corev1.Pod, error) {
	pods := &corev1.PodList{}
	if err := p.Own.List(ctx, pods, client.InNamespace(p.key.Namespace), client.UnsafeDisableDeepCopy,
		client.MatchingFields{indexInstance: children.Instance(p.key.Name)}); err != nil {
		return nil, fmt.Errorf("list the pods: %w", err)
	}
	deployment := children.ConnectorName(p.key.Name)
	own := slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool {
		owner := metav1.GetControllerOfNoCopy(&pod)
		return owner == nil || owner.Kind != "ReplicaSet" || !ofReplicaSet(deployment, owner.Name)
	})
	slices.SortFunc(own, func(a, b corev1.Pod) int {
		return cmp.Or(ended(&a)-ended(&b), b.CreationTimestamp.Compare(a.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	return slices.Clone(own[:min(len(own), maxPods)]), nil
}

// ended is 1 for a pod that has ended, of which a node may leave many.
func ended(pod *corev1.Pod) int {
	if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
		return 1
	}
	return 0
}

// rollOut is the spec of a Deployment that was seen rolled out, by its digest. A change of a Deployment's annotations,
// also by others, raises its generation and rolls no pod: a resource that is Ready stays so while the Deployment's
// controller has yet to observe that.
type rollOut struct {
	uid  types.UID
	spec string
}

// unchanged reports whether a Deployment's spec is that of the last roll-out that was seen to end, which may be this
// one.
func (p *pass) unchanged(d *appsv1.Deployment) (bool, error) {
	spec, err := json.Marshal(d.Spec)
	if err != nil {
		return false, fmt.Errorf("encode Deployment %q: %w", d.Name, err)
	}
	now := rollOut{d.UID, apply.Digest(spec)}
	if status.RolledOut(d) {
		p.kept.rollOut = now
	} else if p.kept.rollOut != now {
		p.kept.rollOut = rollOut{}
	}
	return p.kept.rollOut == now, nil
}

// touchPods tells the pods that are older than the configuration of it, and returns when to tell them again. The pods'
// annotations say what was done, so that nothing is repeated or left out if the operator restarts.
func (p *pass) touchPods(ctx context.Context, in children.Input, pods []corev1.Pod) (again time.Duration, err error) {
	if in.Config == nil {
		return 0, nil
	}
	times, next := due(p.Clock.Since(in.ConfigWrittenAt))
	touched := fmt.Sprintf("%s-%d", in.Config.Digest, times)
	for i := range pods {
		pod := &pods[i]
		// A pod's time of creation has no fractions of a second: one of the same second as a change may be older, and
		// is told.
		if !pod.CreationTimestamp.Time.Before(in.ConfigWrittenAt) || pod.DeletionTimestamp != nil {
			continue
		}
		again = next
		if pod.Annotations[marks.AnnotationTouched] == touched {
			continue
		}
		if err := p.touch(ctx, pod, touched); err != nil {
			return again, err
		}
	}
	return again, nil
}

// due returns how many touches are due after a time, and after how long the next one is; 0 if there is none.
func due(elapsed time.Duration) (times int, next time.Duration) {
	for _, after := range touches {
		if elapsed < after {
			return times, after - elapsed
		}
		times++
	}
	return times, 0
}

// touch tells a pod, if it is still as the cache has it. Every pass, of any resource, waits until the cache has this
// write, and it never has one to a pod that lost its labels. A pod that has changed causes another pass.
func (p *pass) touch(ctx context.Context, pod *corev1.Pod, value string) error {
	touched := pod.DeepCopy()
	metav1.SetMetaDataAnnotation(&touched.ObjectMeta, marks.AnnotationTouched, value)
	err := p.Own.Patch(ctx, touched, client.MergeFromWithOptions(pod, client.MergeFromWithOptimisticLock{}))
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("tell pod %q of its configuration: %w", pod.Name, err)
	}
	return nil
}

// ofReplicaSet reports whether a ReplicaSet is a Deployment's by its name, which is that of the Deployment and a hash.
// The operator may not read ReplicaSets.
func ofReplicaSet(deployment, name string) bool {
	hash, found := strings.CutPrefix(name, deployment+"-")
	return found && !strings.Contains(hash, "-")
}
