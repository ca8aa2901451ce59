package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// resolved are the credentials that the resource names.
type resolved struct {
	credentials.Resolved
	apiKey apiKey
	// judged says that they were looked at.
	judged bool
	// expiring are the absent keys that are still accepted.
	expiring []v1alpha1.ExpiringKey
}

// resolveCredentials reads every Secret key that the resource names. A key that cannot be
// read now keeps its last value, and is read again with the next pass.
func (p *pass) resolveCredentials(ctx context.Context, current *currentConfig) (r resolved, err error) {
	r.apiKey = p.findAPIKey(ctx, current)
	others, err := p.sharing(ctx)
	if err != nil {
		return r, err
	}
	in := credentials.Input{
		Connector: p.connector, Generated: children.APIKeyName(p.key.Name), GeneratedFinding: r.apiKey.finding, Others: others,
		// The status has them as well, from an operator that ended; the memory has them also
		// where the status cannot be written.
		Expiring: slices.Concat(p.absences.get(p.key), p.connector.Status.ExpiringKeys), Now: p.Clock.Now(),
		From: func(ctx context.Context, name string) (*corev1.Secret, error) {
			if name == children.APIKeyName(p.key.Name) && len(p.connector.Spec.Webhook.APIKeys) == 0 {
				return r.apiKey.read(name)
			}
			return p.live(ctx, name)
		},
	}
	if current != nil {
		in.InUse = p.inUse
	}
	found, err := credentials.Resolve(ctx, in)
	if err != nil {
		return r, err
	}
	p.absences.keep(p.key, found.Expiring)
	r.Resolved, r.judged = *found, true
	for _, e := range found.Expiring {
		if e.AcceptedUntil.After(in.Now) {
			r.expiring = append(r.expiring, e)
		}
	}
	return r, nil
}

// live reads a Secret from the API server.
func (p *pass) live(ctx context.Context, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	return secret, p.Live.Get(ctx, client.ObjectKey{Namespace: p.key.Namespace, Name: name}, secret)
}

// inUse reads the credentials that the connector has, which the cache leaves out. Nothing is
// kept of a configuration that cannot be read.
func (p *pass) inUse(ctx context.Context) (*render.InUse, error) {
	secret, err := p.live(ctx, children.ConnectorName(p.key.Name))
	if apierrors.IsNotFound(err) {
		return &render.InUse{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Secret %q: %w", secret.Name, err)
	}
	has, err := render.ReadBack(secret.Data)
	if err != nil || !apply.Belongs(secret, p.connector) {
		return &render.InUse{}, nil //nolint:nilerr // the pass writes it again
	}
	return has, nil
}
