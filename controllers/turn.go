package controllers

import (
	"context"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// turn says which pod template a pass applies. Its zero value is the one that this version of
// the operator makes, because the resource asks for it.
type turn struct {
	// keep is the template that the Deployment has, while the connector waits for its upgrade.
	keep *corev1ac.PodTemplateSpecApplyConfiguration
	// stopped says that the upgrade waits for another connector that does not come up.
	stopped bool
	// upgrading says that the template is new because the operator is.
	upgrading bool
}

// takeTurn decides whether the pass may upgrade the workload, if that is due.
func (p *pass) takeTurn(ctx context.Context, r rendered) (t turn, err error) {
	live, err := p.deployment(ctx)
	if err != nil || live == nil || !r.startable {
		return t, err
	}
	applied := live.Annotations[marks.AnnotationTemplate] // its digest, as the cache has it
	hasSlot := live.Annotations[marks.AnnotationUpgrading] == "true" && !status.RolledOut(live)
	switch {
	case changed(p.connector, live):
	case hasSlot, applied == apply.Digest([]byte(children.EncodeTemplate(children.PodTemplate(r.input)))):
		t.upgrading = hasSlot
	case live.Status.AvailableReplicas == 0: // an upgrade can interrupt nothing
	default:
		if t.keep, err = p.appliedTemplate(ctx, live); err != nil {
			return turn{}, err
		}
	}
	if t.keep == nil {
		p.upgrades.leave(p.key)
		return t, nil
	}
	granted, stopped, err := p.upgrades.ask(ctx, p.key)
	if granted {
		return turn{upgrading: true}, err
	}
	t.stopped = stopped
	return t, err
}

// changed reports whether the resource was changed, or created again, since its workload was
// made. Its number of pods does not matter: it changes no pod.
func changed(c *v1alpha1.ChannelConnector, live *appsv1.Deployment) bool {
	if !metav1.IsControlledBy(live, c) {
		return true
	}
	// Another version of the operator may fill in more, so that the digest of a resource
	// that nobody changed is another one.
	return live.Annotations[marks.AnnotationGeneration] != strconv.FormatInt(c.Generation, 10) &&
		live.Annotations[marks.AnnotationSpec] != children.SpecDigest(c)
}

// appliedTemplate reads the pod template that a Deployment was applied with, of which the
// cache has only the digest; nil when it cannot be decoded, or when the Deployment is gone.
func (p *pass) appliedTemplate(ctx context.Context, d *appsv1.Deployment) (*corev1ac.PodTemplateSpecApplyConfiguration, error) {
	live := &appsv1.Deployment{}
	if err := p.Live.Get(ctx, client.ObjectKeyFromObject(d), live); client.IgnoreNotFound(err) != nil {
		return nil, fmt.Errorf("read Deployment %q: %w", d.Name, err)
	}
	template, err := children.DecodeTemplate(live.Annotations[marks.AnnotationTemplate])
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // it was changed, and there is nothing to keep
	}
	return template, nil
}

// upgrading returns the workloads that the caches show as being upgraded. A Deployment may
// outlive its resource for a while, and nobody is told when that ends.
func (r *Reconciler) upgrading(ctx context.Context) (upgrading, error) {
	now := upgrading{}
	for _, n := range r.Namespaces {
		list := &appsv1.DeploymentList{}
		if err := n.Own.List(ctx, list, client.MatchingFields{indexUpgrading: "true"}, client.DisableReadYourWritesConsistency); err != nil {
			return nil, fmt.Errorf("list the workloads that are being upgraded: %w", err)
		}
		for i := range list.Items {
			d, c := &list.Items[i], &v1alpha1.ChannelConnector{}
			key := client.ObjectKey{Namespace: d.Namespace, Name: d.Annotations[marks.AnnotationConnector]}
			err := r.in(key.Namespace).Users.Get(ctx, key, c, client.DisableReadYourWritesConsistency)
			if !status.RolledOut(d) && !apierrors.IsNotFound(err) && c.DeletionTimestamp.IsZero() {
				now[key] = status.DeadlineExceeded(d)
			}
		}
	}
	return now, nil
}
