package controllers

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// currentConfig is what the Secret with the configuration says of it.
type currentConfig struct {
	digest, startDigest, apiKeyRegenerated string
	writtenAt                              time.Time
	// files are the digests of the files; of the report's token, the token.
	files map[string][]byte
}

// is reports whether the pods read what is wanted.
func (c *currentConfig) is(wanted *render.Config) bool {
	for name, content := range wanted.Files {
		if apply.Digest(c.files[name]) != apply.Digest(content) {
			return false
		}
	}
	return c.digest == wanted.Digest
}

// findConfig looks for the configuration that is in the cluster.
func (p *pass) findConfig(ctx context.Context) error {
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: p.connector.Namespace, Name: children.ConnectorName(p.connector.Name)}
	if err := p.Own.Get(ctx, key, secret); err != nil {
		return client.IgnoreNotFound(err)
	}
	if !apply.Belongs(secret, p.connector) {
		return nil
	}
	// What cannot be read is written anew.
	writtenAt, _ := time.Parse(time.RFC3339Nano, secret.Annotations[marks.AnnotationConfigWrittenAt])
	p.current = &currentConfig{
		digest:            secret.Annotations[marks.AnnotationConfigDigest],
		startDigest:       secret.Annotations[marks.AnnotationStartDigest],
		apiKeyRegenerated: secret.Annotations[marks.AnnotationAPIKeyRegenerated],
		writtenAt:         writtenAt,
		files:             secret.Data,
	}
	p.seen.ConfigWritten = true
	p.input.StartDigest = p.current.startDigest
	p.input.APIKeyRegenerated = p.current.apiKeyRegenerated
	p.input.ConfigWrittenAt = p.current.writtenAt
	return nil
}

// resolveCredentials reads every Secret key that the resource names. What cannot be
// read for the moment stays as it is, and is read again with the next pass.
func (p *pass) resolveCredentials(ctx context.Context) error {
	generated, finding, unmade := p.generatedAPIKey(ctx)
	others, err := p.sharing(ctx)
	if err != nil {
		return err
	}
	name, key := children.APIKeyName(p.connector.Name), client.ObjectKeyFromObject(p.connector)
	in := credentials.Input{
		Connector: p.connector, Generated: name, GeneratedFinding: finding, Others: others,
		Expiring: p.absences.with(key, p.connector.Status.ExpiringKeys), Now: p.Clock.Now(),
		From: func(ctx context.Context, secret string) (*corev1.Secret, error) {
			if secret == name && len(p.connector.Spec.Webhook.APIKeys) == 0 {
				return p.generated(generated, unmade)
			}
			return p.live(ctx, secret)
		},
	}
	if p.current != nil {
		in.InUse = p.inUse
	}
	resolved, err := credentials.Resolve(ctx, in)
	if err != nil {
		return err
	}
	p.absences.note(key, resolved.Expiring)
	p.credentials, p.unread = resolved.Credentials, resolved.Unread
	p.seen.Judged, p.seen.Findings, p.seen.Unread = true, resolved.Findings, resolved.Unread != nil
	for _, e := range resolved.Expiring {
		if left := e.AcceptedUntil.Sub(in.Now); left > 0 {
			p.seen.Expiring = append(p.seen.Expiring, e)
			p.lookAgain(left)
		}
	}
	return nil
}

// generated is the Secret with the generated API key, as a source of credentials.
func (p *pass) generated(secret *corev1.Secret, unmade error) (*corev1.Secret, error) {
	if secret == nil && unmade == nil {
		return nil, apierrors.NewNotFound(corev1.Resource("secrets"), children.APIKeyName(p.connector.Name))
	}
	return secret, unmade
}

// live reads a Secret from the API server.
func (p *pass) live(ctx context.Context, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	return secret, p.Live.Get(ctx, client.ObjectKey{Namespace: p.connector.Namespace, Name: name}, secret)
}

// inUse reads what the connector has, with the values that the cache leaves out. Of a
// configuration that cannot be read nothing is kept.
func (p *pass) inUse(ctx context.Context) (*credentials.InUse, error) {
	secret, err := p.live(ctx, children.ConnectorName(p.connector.Name))
	if apierrors.IsNotFound(err) {
		return &credentials.InUse{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Secret %q: %w", secret.Name, err)
	}
	has, err := render.InUse(secret.Data)
	if err != nil || !apply.Belongs(secret, p.connector) {
		return &credentials.InUse{}, nil //nolint:nilerr // the pass writes it anew
	}
	return has, nil
}

// renderConfig makes the configuration that is declared.
func (p *pass) renderConfig(context.Context) error {
	if p.credentials == nil {
		return nil
	}
	p.credentials.ReportToken = p.reportToken()
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
	err := p.Own.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) { // there may be one without the labels
		err = p.Live.Get(ctx, key, secret)
	}
	switch {
	case apierrors.IsNotFound(err):
		return p.makeAPIKey(ctx)
	case err != nil:
		return nil, nil, fmt.Errorf("read Secret %q: %w", name, err)
	case !apply.Claims(secret, p.connector.Name):
		return p.unclaimedAPIKey(secret)
	}
	p.seen.APIKeySecretName = name
	// An operator that ended between two writes has noted it nowhere else.
	if used := secret.Annotations[marks.AnnotationAPIKeyRegenerated]; used != "" && used == p.connector.Annotations[marks.AnnotationRegenerateAPIKey] {
		p.input.APIKeyRegenerated = used
	}
	return secret, nil, nil
}

// unclaimedAPIKey is the finding that a Secret without the operator's labels has the
// name of the generated API key. It may be the key in use, which the platform calls
// with: that one stays, and nobody must be told to delete it.
func (p *pass) unclaimedAPIKey(secret *corev1.Secret) (*corev1.Secret, *credentials.Finding, error) {
	name := secret.Name
	if p.connector.Status.APIKeySecretName != name {
		return nil, &credentials.Finding{
			Reason: credentials.ReasonAPIKeyNameClashes, Blocking: true,
			Message: fmt.Sprintf("Secret %q, which the generated API key needs, exists and was not made for this ChannelConnector: delete it, or name your own keys in spec.webhook.apiKeys", name),
		}, nil
	}
	p.seen.APIKeySecretName = name
	return secret, &credentials.Finding{
		Reason: credentials.ReasonAPIKeyUnlabelled, Blocking: true,
		Message: fmt.Sprintf("Secret %q with the generated API key lost the labels by which the operator knows it: put them back with \"kubectl label --overwrite secret %s %s=%s %s=%s\"",
			name, name, marks.LabelManagedBy, marks.ManagedBy, marks.LabelConnector, children.Instance(p.connector.Name)),
	}, nil
}

// makeAPIKey makes an API key, unless one was in use that somebody deleted: the
// platform still calls with that one.
func (p *pass) makeAPIKey(ctx context.Context) (*corev1.Secret, *credentials.Finding, error) {
	name := children.APIKeyName(p.connector.Name)
	asked := p.connector.Annotations[marks.AnnotationRegenerateAPIKey]
	if p.connector.Status.APIKeySecretName == name && (asked == "" || asked == p.input.APIKeyRegenerated) {
		p.seen.APIKeySecretName = name
		return nil, &credentials.Finding{
			Reason: credentials.ReasonAPIKeyDeleted, Blocking: true,
			Message: fmt.Sprintf("Secret %q with the generated API key was deleted while in use: restore it; or have a new key made with \"kubectl annotate --overwrite chc %s %s=$(date +%%s)\" and paste it into the platform's console",
				name, p.connector.Name, marks.AnnotationRegenerateAPIKey),
		}, nil
	}
	secret, err := children.APIKeySecret(p.connector)
	if err != nil {
		return nil, nil, err
	}
	if err := p.Own.Create(ctx, secret, client.FieldOwner(apply.FieldManager)); err != nil {
		return nil, nil, fmt.Errorf("create Secret %q: %w", name, err)
	}
	p.seen.APIKeySecretName = name
	p.input.APIKeyRegenerated = asked
	p.event(corev1.EventTypeNormal, "APIKeyGenerated", fmt.Sprintf("Made an API key: paste the key %q of Secret %q into the platform's console", credentials.GeneratedKey, name))
	return secret, nil, nil
}
