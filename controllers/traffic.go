package controllers

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/controllers/traffic"
)

// reporting returns what is needed to ask a connector for its report. The objects are the
// cache's own: they must not be changed.
func (r *Reconciler) reporting(ctx context.Context, key client.ObjectKey) (t traffic.Target, err error) {
	n, connector, secret, pods := r.in(key.Namespace), &v1alpha1.ChannelConnector{}, &corev1.Secret{}, &corev1.PodList{}
	if err := n.Users.Get(ctx, key, connector, client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency); err != nil {
		return t, client.IgnoreNotFound(err)
	}
	// The operator's own writes do not matter here, so that the cache may be behind them.
	name := client.ObjectKey{Namespace: key.Namespace, Name: children.ConnectorName(key.Name)}
	err = errors.Join(
		client.IgnoreNotFound(n.Own.Get(ctx, name, secret, client.UnsafeDisableDeepCopy)),
		n.Own.List(ctx, pods, client.InNamespace(key.Namespace), client.MatchingFields{indexInstance: children.Instance(key.Name)},
			client.UnsafeDisableDeepCopy, client.DisableReadYourWritesConsistency),
	)
	return traffic.Target{
		Connector: connector, Channel: render.ChannelName(connector), Pods: pods.Items, Token: string(secret.Data[render.FileReportToken]),
	}, err
}

// trafficChanged records an event for each part of the traffic that began or ceased to fail.
func (p *pass) trafficChanged(old, next v1alpha1.ChannelConnectorStatus) {
	for _, kind := range traffic.Types {
		was, is := meta.FindStatusCondition(old.Conditions, kind), meta.FindStatusCondition(next.Conditions, kind)
		switch {
		case is == nil, was != nil && was.Reason == is.Reason, !fails(was) && !fails(is):
		case fails(is):
			p.event(corev1.EventTypeWarning, is.Reason, is.Message)
		default:
			p.event(corev1.EventTypeNormal, is.Reason, is.Message)
		}
	}
}

// fails reports whether a condition asks for help.
func fails(c *metav1.Condition) bool {
	return c != nil && slices.Contains([]string{
		traffic.ReasonWrongSecretSuspected, traffic.ReasonFull, traffic.ReasonFailing, traffic.ReasonSinkFailing,
		traffic.ReasonCredentialMissing, traffic.ReasonEventsGivenUp, traffic.ReasonNotRead,
	}, c.Reason)
}
