package controllers

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// touches are the times, after a change of the configuration, at which the pods' metadata is
// touched. kubelet refreshes a mounted Secret if the pod changes, otherwise about once a minute.
// The later ones are for a kubelet that hears of the pod before it hears of the Secret.
var touches = []time.Duration{0, time.Second, 5 * time.Second}

// deployment returns the resource's Deployment as the cache has it, nil when there
// is none.
func (p *pass) deployment(ctx context.Context) (*appsv1.Deployment, error) {
	d := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: p.key.Namespace, Name: children.ConnectorName(p.key.Name)}
	if err := p.Own.Get(ctx, key, d); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if !apply.Belongs(d, p.connector) {
		return nil, nil //nolint:nilnil // another owner's is as good as none
	}
	return d, nil
}

// observed is the workload after the writes.
type observed struct {
	// deployment is nil while there is none.
	deployment *appsv1.Deployment
	pods       []corev1.Pod
	// unchanged says that the Deployment's spec is that of its last roll-out.
	unchanged bool
	warnings  []status.Warning
	// quoted is the warning that the status quotes; nil for none.
	quoted *status.Warning
	// at is when it was looked at.
	at time.Time
	// hear says when events are to be read again; 0 for never.
	hear time.Duration
}

// workload is a workload as the status judges it.
func (p *pass) workload(o observed) status.Observation {
	return status.Observation{
		Connector: p.connector, Deployment: o.deployment, Unchanged: o.unchanged, Pods: o.pods, Warnings: o.warnings, Quoted: o.quoted,
		Now: cmp.Or(o.at, p.Clock.Now()),
	}
}

// observeWorkload looks at the Deployment as it is after the writes, and at its pods.
func (p *pass) observeWorkload(ctx context.Context) (o observed, err error) {
	if o.deployment, err = p.deployment(ctx); err != nil || o.deployment == nil {
		return o, err
	}
	pods := &corev1.PodList{}
	if err := p.Own.List(ctx, pods, client.InNamespace(p.key.Namespace),
		client.MatchingFields{indexInstance: children.Instance(p.key.Name)}); err != nil {
		return o, fmt.Errorf("list the pods: %w", err)
	}
	if o.unchanged, err = p.unchanged(o.deployment); err != nil {
		return o, err
	}
	o.pods, o.at = pods.Items, p.Clock.Now()
	if pod, silent := status.Silent(p.workload(o)); silent {
		o.warnings, o.hear, o.quoted = p.hearWarnings(ctx, o.deployment, pod), hearAgain, p.quoted.get(p.key)
		o.quoted = status.Quote(p.workload(o))
	}
	p.quoted.keep(p.key, o.quoted)
	return o, nil
}

// rollOut is the spec of a Deployment that was seen rolled out, by its digest. A change of a
// Deployment's annotations, also by others, raises its generation and rolls no pod: a resource
// that is Ready stays so while the Deployment's controller has yet to observe that.
type rollOut struct {
	uid  types.UID
	spec string
}

// unchanged reports whether a Deployment's spec is that of the last roll-out that was seen to
// end, which may be this one.
func (p *pass) unchanged(d *appsv1.Deployment) (bool, error) {
	spec, err := json.Marshal(d.Spec)
	if err != nil {
		return false, fmt.Errorf("encode Deployment %q: %w", d.Name, err)
	}
	now := rollOut{d.UID, apply.Digest(spec)}
	if status.RolledOut(d) {
		p.rollOuts.keep(p.key, now)
	} else if p.rollOuts.get(p.key) != now {
		p.rollOuts.forget(p.key)
	}
	return p.rollOuts.get(p.key) == now, nil
}

// touchPods tells the pods that are older than the configuration of it, and returns when to
// tell them again. The pods' annotations say what was done, so that nothing is repeated or left
// out if the operator restarts.
func (p *pass) touchPods(ctx context.Context, in children.Input, pods []corev1.Pod) (again time.Duration, err error) {
	if in.Config == nil {
		return 0, nil
	}
	times, next := due(p.Clock.Since(in.ConfigWrittenAt))
	touched := fmt.Sprintf("%s-%d", in.Config.Digest, times)
	for i := range pods {
		pod := &pods[i]
		// A pod's time of creation has no fractions of a second: one of the same
		// second as a change may be older, and is told.
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

// due returns how many touches are due after a time, and after how long the next one is; 0 if
// there is none.
func due(elapsed time.Duration) (times int, next time.Duration) {
	for _, after := range touches {
		if elapsed < after {
			return times, after - elapsed
		}
		times++
	}
	return times, 0
}

func (p *pass) touch(ctx context.Context, pod *corev1.Pod, value string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{marks.AnnotationTouched: value}}})
	if err != nil {
		return err
	}
	target := &corev1.Pod{}
	target.Namespace, target.Name = pod.Namespace, pod.Name
	if err := p.Own.Patch(ctx, target, client.RawPatch(types.MergePatchType, patch)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("tell pod %q of its configuration: %w", pod.Name, err)
	}
	return nil
}
