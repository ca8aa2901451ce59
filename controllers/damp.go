package controllers

import (
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

const (
	// exposedBurst is how often Exposed may change at once: a person who mends an exposure sees each step.
	exposedBurst = 10
	// exposedPause is the time for each later change.
	exposedPause = 30 * time.Second
)

// damp keeps what the status says of the exposure, and of the registration that waits for it, if that changes all the
// time, as it does if controllers overwrite each other's part of the HTTPRoute's status. A change from True is never kept
// back, nor one for another version of the resource. It returns after how long to look again; 0 if nothing is kept.
func (p *pass) damp(next *v1alpha1.ChannelConnectorStatus) time.Duration {
	old := p.connector.Status
	was := meta.FindStatusCondition(old.Conditions, v1alpha1.ConditionExposed)
	is := meta.FindStatusCondition(next.Conditions, v1alpha1.ConditionExposed)
	if was == nil || is == nil || was.ObservedGeneration != is.ObservedGeneration || equality.Semantic.DeepEqual(was, is) ||
		was.Status == metav1.ConditionTrue && is.Status != metav1.ConditionTrue {
		return 0
	}
	if p.kept.exposed == nil {
		p.kept.exposed = rate.NewLimiter(rate.Every(exposedPause), exposedBurst)
	}
	if p.kept.exposed.AllowN(p.Clock.Now(), 1) {
		return 0
	}
	*is, next.WebhookURL = *was, old.WebhookURL
	was = meta.FindStatusCondition(old.Conditions, v1alpha1.ConditionWebhookRegistered)
	is = meta.FindStatusCondition(next.Conditions, v1alpha1.ConditionWebhookRegistered)
	if was != nil && is != nil && was.ObservedGeneration == is.ObservedGeneration && was.Status != metav1.ConditionTrue {
		*is, next.RegisteredWebhook = *was, old.RegisteredWebhook
	}
	return exposedPause
}
