package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// currentConfig is what the Secret with the configuration says of it.
type currentConfig struct {
	digest, startDigest, apiKeyRegenerated string
	writtenAt                              time.Time
	// files are the digests of the files.
	files map[string][]byte
}

// is reports whether the pods read what is wanted.
func (c *currentConfig) is(wanted *render.Config) bool {
	for name, content := range wanted.Files {
		if string(c.files[name]) != apply.Digest(content) {
			return false
		}
	}
	return c.digest == wanted.Digest
}

// findConfig looks for the configuration that is in the cluster.
func (p *pass) findConfig(ctx context.Context) error {
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: p.connector.Namespace, Name: children.ConnectorName(p.connector.Name)}
	if err := p.OwnSecrets.Get(ctx, key, secret); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !apply.Belongs(secret, p.connector) {
		return nil
	}
	// What cannot be read is written anew.
	writtenAt, _ := time.Parse(time.RFC3339Nano, secret.Annotations[children.AnnotationConfigWrittenAt])
	p.current = &currentConfig{
		digest:            secret.Annotations[children.AnnotationConfigDigest],
		startDigest:       secret.Annotations[children.AnnotationStartDigest],
		apiKeyRegenerated: secret.Annotations[children.AnnotationAPIKeyRegenerated],
		writtenAt:         writtenAt,
		files:             secret.Data,
	}
	p.seen.ConfigWritten = true
	p.input.StartDigest = p.current.startDigest
	p.input.APIKeyRegenerated = p.current.apiKeyRegenerated
	p.input.ConfigWrittenAt = p.current.writtenAt
	return nil
}

// resolveCredentials reads every Secret key that the resource names.
func (p *pass) resolveCredentials(ctx context.Context) error {
	generated, finding, err := p.generatedAPIKey(ctx)
	if err != nil {
		return err
	}
	if finding != nil {
		p.seen.Judged, p.seen.Findings = true, []credentials.Finding{*finding}
		return nil
	}
	others, err := p.sharing(ctx)
	if err != nil {
		return err
	}
	source := func(ctx context.Context, name string) (*corev1.Secret, error) {
		if generated != nil && name == generated.Name {
			return generated, nil
		}
		secret := &corev1.Secret{}
		err := p.Live.Get(ctx, client.ObjectKey{Namespace: p.connector.Namespace, Name: name}, secret)
		return secret, err
	}
	resolved, findings, err := credentials.Resolve(ctx, p.connector, children.APIKeyName(p.connector.Name), source, others)
	if err != nil {
		return err
	}
	p.seen.Judged, p.seen.Findings = true, findings
	for _, f := range findings {
		if f.Blocking {
			return nil
		}
	}
	p.credentials = resolved
	return nil
}

// renderConfig makes the configuration that is declared. While a credential is
// missing there is none, and the one in the cluster stays.
func (p *pass) renderConfig(context.Context) error {
	if p.credentials == nil {
		return nil
	}
	config, err := render.Render(p.connector, p.credentials)
	if err != nil {
		p.obstruct(status.Obstacle{
			Reason: status.ReasonConfigRefused, Stalled: true,
			Message: "The connector would refuse the configuration, which the schema should have refused: " + err.Error(),
		})
		return nil //nolint:nilerr // the resource is at fault, and its status says so
	}
	p.wanted = config
	p.input.Config, p.input.StartDigest = config, config.StartDigest
	switch {
	case p.current == nil: // no pod is older, also none of the same second
		p.input.ConfigWrittenAt = p.Clock.Now().Truncate(time.Second)
	case !p.current.is(config) || p.current.writtenAt.IsZero():
		p.input.ConfigWrittenAt = p.Clock.Now().Truncate(time.Millisecond)
	}
	return nil
}

// generatedAPIKey returns the Secret with the API key that the operator made, and
// makes it where the resource names no key and there never was one. What a finding
// says is in the way of that.
func (p *pass) generatedAPIKey(ctx context.Context) (*corev1.Secret, *credentials.Finding, error) {
	if len(p.connector.Spec.Webhook.APIKeys) > 0 {
		return nil, nil, nil
	}
	name := children.APIKeyName(p.connector.Name)
	key := client.ObjectKey{Namespace: p.connector.Namespace, Name: name}
	secret := &corev1.Secret{}
	err := p.OwnSecrets.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) { // there may be one without the labels
		err = p.Live.Get(ctx, key, secret)
	}
	switch {
	case apierrors.IsNotFound(err):
		return p.makeAPIKey(ctx)
	case err != nil:
		return nil, nil, fmt.Errorf("read Secret %q: %w", name, err)
	case !apply.Claims(secret, p.connector.Name):
		return nil, p.unclaimedAPIKey(name), nil
	}
	p.seen.APIKeySecretName = name
	// An operator that ended between two writes has noted it nowhere else.
	if used := secret.Annotations[children.AnnotationAPIKeyRegenerated]; used != "" && used == p.connector.Annotations[v1alpha1.RegenerateAPIKeyAnnotation] {
		p.input.APIKeyRegenerated = used
	}
	return secret, nil, nil
}

// unclaimedAPIKey is the finding that a Secret without the operator's labels has the
// name of the generated API key. It may be the key in use, which the platform calls
// with: nobody must be told to delete that.
func (p *pass) unclaimedAPIKey(name string) *credentials.Finding {
	if p.connector.Status.APIKeySecretName != name {
		return &credentials.Finding{
			Reason: credentials.ReasonAPIKeyNameClashes, Blocking: true,
			Message: fmt.Sprintf("Secret %q, which the generated API key needs, exists and was not made for this ChannelConnector: delete it, or name your own keys in spec.webhook.apiKeys", name),
		}
	}
	p.seen.APIKeySecretName = name
	return &credentials.Finding{
		Reason: credentials.ReasonAPIKeyUnlabelled, Blocking: true,
		Message: fmt.Sprintf("Secret %q with the generated API key lost the labels by which the operator knows it: put them back with \"kubectl label --overwrite secret %s %s=%s %s=%s\"",
			name, name, children.LabelManagedBy, children.ManagedBy, children.LabelInstance, children.Instance(p.connector.Name)),
	}
}

// makeAPIKey makes an API key, unless one was in use that somebody deleted: the
// platform still calls with that one.
func (p *pass) makeAPIKey(ctx context.Context) (*corev1.Secret, *credentials.Finding, error) {
	name := children.APIKeyName(p.connector.Name)
	asked := p.connector.Annotations[v1alpha1.RegenerateAPIKeyAnnotation]
	if p.connector.Status.APIKeySecretName == name && (asked == "" || asked == p.input.APIKeyRegenerated) {
		p.seen.APIKeySecretName = name
		return nil, &credentials.Finding{
			Reason: credentials.ReasonAPIKeyDeleted, Blocking: true,
			Message: fmt.Sprintf("Secret %q with the generated API key was deleted while in use: restore it; or have a new key made with \"kubectl annotate --overwrite chc %s %s=$(date +%%s)\" and paste it into the platform's console",
				name, p.connector.Name, v1alpha1.RegenerateAPIKeyAnnotation),
		}, nil
	}
	secret, err := children.APIKeySecret(p.connector)
	if err != nil {
		return nil, nil, err
	}
	if err := p.OwnSecrets.Create(ctx, secret, client.FieldOwner(apply.FieldManager)); err != nil {
		return nil, nil, fmt.Errorf("create Secret %q: %w", name, err)
	}
	p.seen.APIKeySecretName = name
	p.input.APIKeyRegenerated = asked
	p.event(corev1.EventTypeNormal, "APIKeyGenerated", fmt.Sprintf("Made an API key: paste the key %q of Secret %q into the platform's console", credentials.GeneratedKey, name))
	return secret, nil, nil
}
