package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// apiKey is the API key that the operator generates for a resource that names none.
type apiKey struct {
	// secret holds it; nil where there is none.
	secret *corev1.Secret
	// name is the Secret's name for the status; empty where the operator has made none.
	name string
	// inherited reports whether an earlier ChannelConnector of the name left it.
	inherited bool
	// regenerated is the value of the resource's annotation that was used last.
	regenerated string
	// finding is an obstacle to it; nil when there is none.
	finding *credentials.Finding
	// unread is why the Secret could not be read or made.
	unread error
}

// read returns the Secret's data as a source of credentials does.
func (k apiKey) read(name string) (map[string][]byte, error) {
	switch {
	case k.secret != nil:
		return k.secret.Data, k.unread
	case k.unread != nil:
		return nil, k.unread
	}
	return nil, apierrors.NewNotFound(corev1.Resource("secrets"), name)
}

// findAPIKey returns the generated API key, and generates it if the resource names no key and there never was one.
func (p *pass) findAPIKey(ctx context.Context, current *currentConfig) (k apiKey) {
	if current != nil {
		k.regenerated = current.apiKeyRegenerated
	}
	if len(p.connector.Spec.Webhook.APIKeys) > 0 {
		return k
	}
	key := client.ObjectKey{Namespace: p.key.Namespace, Name: children.APIKeyName(p.key.Name)}
	secret, err := p.secret(ctx, key.Name)
	switch {
	case apierrors.IsNotFound(err):
		return p.makeAPIKey(ctx, k, key.Name)
	case err != nil:
		k.unread = fmt.Errorf("read Secret %q: %w", key.Name, err)
		return k
	case !apply.Claims(secret, p.key.Name):
		return p.unclaimedAPIKey(k, secret)
	}
	k.secret, k.name, k.inherited = secret, key.Name, p.inherited(secret)
	// An operator that ended between two writes has noted it nowhere else.
	asked := p.connector.Annotations[marks.AnnotationRegenerateAPIKey]
	if asked != "" && asked == secret.Annotations[marks.AnnotationAPIKeyRegenerated] {
		k.regenerated = asked
	}
	return k
}

// unclaimedAPIKey is for a Secret without the operator's labels that has the name of the generated API key. It may be
// the key in use, which the platform calls with: that one stays, and nobody must be told to delete it.
func (p *pass) unclaimedAPIKey(k apiKey, secret *corev1.Secret) apiKey {
	name := secret.Name
	if p.connector.Status.APIKeySecretName != name {
		k.finding = &credentials.Finding{
			Reason: credentials.ReasonAPIKeyNameClashes, Blocking: true,
			Message: fmt.Sprintf("Secret %q, which the generated API key needs, exists and was not made for this ChannelConnector: delete it, or "+
				"name your own keys in spec.webhook.apiKeys", name),
		}
		return k
	}
	k.secret, k.name = secret, name
	k.finding = &credentials.Finding{
		Reason: credentials.ReasonAPIKeyUnlabelled, Blocking: true,
		Message: fmt.Sprintf("Secret %q with the generated API key lost the labels by which the operator knows it: put them back with "+
			"\"kubectl label --overwrite secret %s %s=%s %s=%s\"",
			name, name, marks.LabelManagedBy, marks.ManagedBy, marks.LabelConnector, children.Instance(p.key.Name)),
	}
	return k
}

// makeAPIKey makes an API key, unless one was deleted while in use: the platform still calls with that one.
func (p *pass) makeAPIKey(ctx context.Context, k apiKey, name string) apiKey {
	asked := p.connector.Annotations[marks.AnnotationRegenerateAPIKey]
	if p.connector.Status.APIKeySecretName == name && (asked == "" || asked == k.regenerated) {
		k.name = name
		k.finding = &credentials.Finding{
			Reason: credentials.ReasonAPIKeyDeleted, Blocking: true,
			Message: fmt.Sprintf("Secret %q with the generated API key was deleted while in use: restore it; or have a new key made with "+
				"\"kubectl annotate --overwrite chc %s %s=$(date +%%s)\" and paste it into the platform's console",
				name, p.key.Name, marks.AnnotationRegenerateAPIKey),
		}
		return k
	}
	secret, err := children.APIKeySecret(p.connector)
	if err == nil {
		// A client that reads its own writes would cache whole Secrets.
		err = p.Own.Create(ctx, secret, client.FieldOwner(apply.FieldManager), client.DisableReadYourWritesConsistency)
	}
	if err != nil {
		k.unread = fmt.Errorf("create Secret %q: %w", name, err)
		return k
	}
	k.secret, k.name, k.regenerated = secret, name, asked
	told := fmt.Sprintf("Made an API key: paste the key %q of Secret %q into the platform's console", credentials.GeneratedKey, name)
	if p.registers() {
		told = fmt.Sprintf("Made an API key, the key %q of Secret %q: the platform is told of it", credentials.GeneratedKey, name)
	}
	p.event(corev1.EventTypeNormal, "APIKeyGenerated", told)
	return k
}
