package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// inherited reports whether an object that outlives its ChannelConnector was left by an earlier one of the name.
func (p *pass) inherited(object client.Object) bool {
	switch object.GetAnnotations()[marks.AnnotationUID] {
	case string(p.connector.UID):
		return false
	case "": // it was made by hand, or lost the annotation
		made := object.GetCreationTimestamp()
		return made.Before(&p.connector.CreationTimestamp)
	}
	return true
}

// inherits reports whether a child is an inbox that an earlier ChannelConnector left. Once it is applied, it is this
// one's.
func (p *pass) inherits(ctx context.Context, child children.Child) bool {
	claim := &corev1.PersistentVolumeClaim{}
	if _, ok := child.Kind.New().(*corev1.PersistentVolumeClaim); !ok {
		return false
	}
	return p.Own.Get(ctx, child.Key(p.key.Namespace), claim) == nil && p.inherited(claim)
}

func (p *pass) tellInboxAdopted(name string) {
	p.event(corev1.EventTypeWarning, "InboxAdopted", fmt.Sprintf("PersistentVolumeClaim %q was left by an earlier ChannelConnector of this "+
		"name and is this one's from now on: events that it still holds go to the sink of this one. Set spec.delivery.paused to hold them; "+
		"to be rid of them, delete this ChannelConnector and then the claim, and create this one again", name))
}

func (p *pass) tellAPIKeyAdopted(name string) {
	p.event(corev1.EventTypeWarning, "APIKeyAdopted", fmt.Sprintf("Secret %q was left by an earlier ChannelConnector of this name: who "+
		"knows its API key may call this one. For a new key, delete the Secret and run \"kubectl annotate --overwrite chc %s %s=$(date +%%s)\"",
		name, p.key.Name, marks.AnnotationRegenerateAPIKey))
}
