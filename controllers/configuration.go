package controllers

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/marks"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// currentConfig is the configuration in the cluster, as its Secret describes it.
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

// reportToken is the token of the connector's report: the one that is in use, or a new one. It stays, because
// fingerprints in the status are made with it.
func (c *currentConfig) reportToken() string {
	token := rand.Text()
	if c != nil && len(c.files[render.FileReportToken]) == len(token) {
		return string(c.files[render.FileReportToken])
	}
	return token
}

// findConfig returns the configuration in the cluster; nil when there is none.
func (p *pass) findConfig(ctx context.Context) (*currentConfig, error) {
	key := client.ObjectKey{Namespace: p.key.Namespace, Name: children.ConnectorName(p.key.Name)}
	object, err := p.applier().Private(ctx, children.ConfigSecret, key)
	if err != nil {
		return nil, err
	}
	secret, found := object.(*corev1.Secret)
	if !found || !apply.Belongs(secret, p.connector) {
		p.kept.reportToken.Store(nil)
		return nil, nil //nolint:nilnil // there is none
	}
	p.kept.reportToken.Store(new(string(secret.Data[render.FileReportToken])))
	// A time that cannot be read is written again.
	writtenAt, _ := time.Parse(time.RFC3339Nano, secret.Annotations[marks.AnnotationConfigWrittenAt])
	return &currentConfig{
		digest:            secret.Annotations[marks.AnnotationConfigDigest],
		startDigest:       secret.Annotations[marks.AnnotationStartDigest],
		apiKeyRegenerated: secret.Annotations[marks.AnnotationAPIKeyRegenerated],
		writtenAt:         writtenAt,
		files:             secret.Data,
	}, nil
}

// rendered is the configuration that is declared.
type rendered struct {
	// input is what the children are built from, but for the turn of an upgrade. It has no Config where the declared
	// one cannot be made: the one in the cluster stays.
	input children.Input
	// startable reports whether a pod can start: there is a configuration, declared or current.
	startable bool
	// obstacle is why the connector would refuse the configuration; nil when it would not.
	obstacle *status.Obstacle
	// denied is why the pods may not be as they are declared; nil when they may.
	denied *status.Obstacle
}

// renderConfig makes the configuration that is declared, with an inbox that its volume has room for.
func (p *pass) renderConfig(current *currentConfig, has resolved, v volume) (r rendered) {
	r.input = children.Input{Connector: p.connector, Image: p.Image, OperatorNamespace: p.OperatorNamespace}
	r.input.APIKeyRegenerated, r.input.ClaimRequest = has.apiKey.regenerated, p.held(v)
	r.denied = p.denied()
	if current != nil {
		r.startable, r.input.StartDigest, r.input.ConfigWrittenAt = true, current.startDigest, current.writtenAt
	}
	if has.Credentials == nil {
		return r
	}
	var served bool
	if r.input.Connector, served = p.servedBy(current, has, r.denied != nil); !served {
		return r
	}
	has.Credentials.ReportToken = current.reportToken()
	config, err := render.Render(v.fitted(r.input.Connector), has.Credentials)
	if err != nil {
		r.obstacle = &status.Obstacle{
			Reason: status.ReasonConfigRefused, Stalled: true,
			Message: "The connector would refuse the configuration, which the schema should have refused: " + err.Error(),
		}
		return r
	}
	r.startable, r.input.Config, r.input.StartDigest = true, config, config.StartDigest
	switch {
	case current == nil: // no pod is older, also none of the same second
		r.input.ConfigWrittenAt = p.Clock.Now().Truncate(time.Second)
	case !current.is(config) || current.writtenAt.IsZero():
		r.input.ConfigWrittenAt = p.Clock.Now().Truncate(time.Millisecond)
	}
	return r
}

// servedBy returns the resource as its pods serve it, with TLS or without, and whether its configuration can be made: no
// connector would start without the pair of certificate and key. Pods that may not be as declared go on as they are.
func (p *pass) servedBy(current *currentConfig, has resolved, denied bool) (c *v1alpha1.ChannelConnector, served bool) {
	declared, servable := p.connector.Spec.Workload.TLS, has.Credentials.Servable(p.connector)
	if current == nil {
		return p.connector, servable
	}
	switch inUse := current.files[render.FileCertificate] != nil; {
	case inUse && declared == nil && denied: // there is no pair any more to make another configuration with
		return withTLS(p.connector, &v1alpha1.WorkloadTLS{}), false
	case !inUse && declared != nil && (denied || !servable):
		return withTLS(p.connector, nil), true
	}
	return p.connector, servable
}

// withTLS is a resource as it serves until it may serve as declared, for example until its first pair of certificate and
// key is there: a running connector goes on with plain HTTP, and a key that is removed meanwhile goes out of use. It
// counts as the generation before, so that the declared pod template waits for no turn.
func withTLS(c *v1alpha1.ChannelConnector, tls *v1alpha1.WorkloadTLS) *v1alpha1.ChannelConnector {
	before := c.DeepCopy()
	before.Spec.Workload.TLS = tls
	before.Generation--
	return before
}

// resolved are the credentials that the resource names.
type resolved struct {
	credentials.Resolved
	apiKey apiKey
	// judged reports whether they were looked at.
	judged bool
	// expiring are the absent keys that are still accepted.
	expiring []v1alpha1.ExpiringKey
}

// resolveCredentials reads every Secret key that the resource names. A key that cannot be read now keeps its last
// value, and is read again with the next pass.
func (p *pass) resolveCredentials(ctx context.Context, current *currentConfig) (r resolved, err error) {
	r.apiKey = p.findAPIKey(ctx, current)
	in := credentials.Input{
		Connector: p.connector, Generated: children.APIKeyName(p.key.Name), GeneratedFinding: r.apiKey.finding, SharedWith: p.sharedWith,
		// The status has them as well, from an operator that ended; the memory has them also where the status cannot be
		// written.
		Expiring: slices.Concat(p.kept.expiring, p.connector.Status.ExpiringKeys), Now: p.Clock.Now(),
		From: func(ctx context.Context, object render.Object) (map[string][]byte, error) {
			if object.Name == children.APIKeyName(p.key.Name) && len(p.connector.Spec.Webhook.APIKeys) == 0 &&
				object.Kind == render.KindSecret {
				return r.apiKey.read(object.Name)
			}
			return p.data(ctx, object)
		},
	}
	if current != nil {
		in.InUse = p.inUse
	}
	found, err := credentials.Resolve(ctx, in)
	r.apiKey.secret = nil // a Secret may have 1 MiB
	if err != nil {
		return r, err
	}
	p.kept.expiring = found.Expiring
	r.Resolved, r.judged = *found, true
	for _, e := range found.Expiring {
		if e.AcceptedUntil.After(in.Now) {
			r.expiring = append(r.expiring, e)
		}
	}
	return r, nil
}

// data reads the values of a Secret or ConfigMap from the API server.
func (p *pass) data(ctx context.Context, object render.Object) (map[string][]byte, error) {
	if object.Kind == render.KindConfigMap {
		m := &corev1.ConfigMap{}
		err := p.live.Get(ctx, client.ObjectKey{Namespace: p.key.Namespace, Name: object.Name}, m)
		return credentials.OfConfigMap(m), err
	}
	secret, err := p.secret(ctx, object.Name)
	return secret.Data, err
}

// secret reads a Secret from the API server.
func (p *pass) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	return secret, p.live.Get(ctx, client.ObjectKey{Namespace: p.key.Namespace, Name: name}, secret)
}

// inUse reads the credentials that the connector has, which no memory holds. Nothing is kept of a configuration
// that cannot be read.
func (p *pass) inUse(ctx context.Context) (*render.InUse, error) {
	secret, err := p.secret(ctx, children.ConnectorName(p.key.Name))
	if apierrors.IsNotFound(err) {
		return &render.InUse{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Secret %q: %w", secret.Name, err)
	}
	if !apply.Belongs(secret, p.connector) {
		return &render.InUse{}, nil
	}
	// Who may write the Secret can make this take a hundred times its size: no two workers do it at a time.
	p.readingBack.Lock()
	defer p.readingBack.Unlock()
	has, err := render.ReadBack(secret.Data)
	if err != nil {
		return &render.InUse{}, nil // the pass writes it again
	}
	return has, nil
}

// certificatesAgain is when to judge the certificates of a configuration again, since time alone changes what is said of
// them; 0 is never.
func (p *pass) certificatesAgain(config *render.Config) (again time.Duration) {
	if config == nil {
		return 0
	}
	for _, chain := range config.Certificates() {
		again = status.Soonest(again, status.ReadCertificate("", chain, "").LookAgain(p.Clock.Now()))
	}
	return again
}
