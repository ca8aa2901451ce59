package controllers

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// TestUpgradingOf: only a Deployment of a connector that is being upgraded is looked at when others ask for their turn,
// however many a tenant marks.
func TestUpgradingOf(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*appsv1.Deployment)
		want   int
	}{
		"a connector's":    {func(*appsv1.Deployment) {}, 1},
		"rolled out":       {func(d *appsv1.Deployment) { d.Status.ObservedGeneration, d.Status.UpdatedReplicas = 1, 1 }, 0},
		"not marked":       {func(d *appsv1.Deployment) { delete(d.Annotations, marks.AnnotationUpgrading) }, 0},
		"marked otherwise": {func(d *appsv1.Deployment) { d.Annotations[marks.AnnotationUpgrading] = "yes" }, 0},
		"of no connector":  {func(d *appsv1.Deployment) { delete(d.Annotations, marks.AnnotationConnector) }, 0},
		"of another name":  {func(d *appsv1.Deployment) { d.Name = "theirs" }, 0},
		"a tenant's own":   {func(d *appsv1.Deployment) { d.OwnerReferences = nil }, 0},
		"owned by another": {func(d *appsv1.Deployment) { d.OwnerReferences[0].Name = "other" }, 0},
		"of another kind":  {func(d *appsv1.Deployment) { d.OwnerReferences[0].Kind = "Deployment" }, 0},
		"of no controller": {func(d *appsv1.Deployment) { d.OwnerReferences[0].Controller = nil }, 0},
		"without any replica": {func(d *appsv1.Deployment) {
			*d.Spec.Replicas, d.Status = 0, appsv1.DeploymentStatus{ObservedGeneration: 1}
		}, 0},
	} {
		d := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "chat", Name: "shop-connector", Generation: 1,
				Labels:      map[string]string{marks.LabelManagedBy: marks.ManagedBy, marks.LabelConnector: "shop"},
				Annotations: map[string]string{marks.AnnotationUpgrading: "true", marks.AnnotationConnector: "shop"},
				OwnerReferences: []metav1.OwnerReference{{
					APIVersion: "xbot.a4b.vn/v1alpha1", Kind: "ChannelConnector", Name: "shop", Controller: new(true),
				}},
			},
			Spec:   appsv1.DeploymentSpec{Replicas: new(int32(1))},
			Status: appsv1.DeploymentStatus{Replicas: 1, AvailableReplicas: 1},
		}
		c.change(d)
		if got := upgradingOf(d); len(got) != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
