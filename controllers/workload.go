package controllers

import (
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

// touches are how long after a change of the configuration the pods' metadata is
// touched. kubelet refreshes a mounted Secret when the pod changes, otherwise
// about once a minute; the later ones are for a kubelet that heard of the pod
// before it heard of the Secret.
var touches = []time.Duration{0, time.Second, 5 * time.Second}

// findDeployment looks for the Deployment as it is before the writes.
func (p *pass) findDeployment(ctx context.Context) (err error) {
	p.before, err = p.deployment(ctx)
	return err
}

// deployment returns the resource's Deployment as the cache has it, nil when there
// is none.
func (p *pass) deployment(ctx context.Context) (*appsv1.Deployment, error) {
	d := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: p.connector.Namespace, Name: children.ConnectorName(p.connector.Name)}
	if err := p.Own.Get(ctx, key, d); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if !apply.Belongs(d, p.connector) {
		return nil, nil //nolint:nilnil // somebody else's is as good as none
	}
	return d, nil
}

// observeWorkload looks at the Deployment as it is after the writes, and at its
// pods.
func (p *pass) observeWorkload(ctx context.Context) error {
	deployment, err := p.deployment(ctx)
	if err != nil || deployment == nil {
		return err
	}
	pods := &corev1.PodList{}
	if err := p.Own.List(ctx, pods, client.InNamespace(p.connector.Namespace),
		client.MatchingFields{indexInstance: children.Instance(p.connector.Name)}); err != nil {
		return fmt.Errorf("list the pods: %w", err)
	}
	if p.seen.Unchanged, err = p.rollOuts.unchanged(client.ObjectKeyFromObject(p.connector), deployment); err != nil {
		return err
	}
	p.seen.Deployment, p.seen.Pods, p.seen.Now = deployment, pods.Items, p.Clock.Now()
	if after := status.LookAgain(p.seen); after > 0 {
		p.lookAgain(after)
	}
	p.hearWarnings(ctx)
	return nil
}

// touchPods tells the pods that are older than the configuration of it. What was
// done stands in the pods' annotations, so that nothing is repeated or left out
// when the operator restarts.
func (p *pass) touchPods(ctx context.Context) error {
	if p.wanted == nil || p.seen.Obstacle != nil {
		return nil
	}
	times, next := due(p.Clock.Since(p.input.ConfigWrittenAt))
	touched := fmt.Sprintf("%s-%d", p.wanted.Digest, times)
	for i := range p.seen.Pods {
		pod := &p.seen.Pods[i]
		// A pod's time of creation has no fractions of a second: one of the same
		// second as a change may be older, and is told.
		if !pod.CreationTimestamp.Time.Before(p.input.ConfigWrittenAt) || pod.DeletionTimestamp != nil {
			continue
		}
		if next > 0 {
			p.lookAgain(next)
		}
		if pod.Annotations[marks.AnnotationTouched] == touched {
			continue
		}
		if err := p.touch(ctx, pod, touched); err != nil {
			return err
		}
	}
	return nil
}

// due returns how many touches are due after a time, and when the next one will
// be; 0 when there is none.
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
