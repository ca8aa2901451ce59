package controllers

import (
	"context"
	"crypto/rand"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/children"
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

// reportToken is the token of the connector's report: the one that is in use, or a new one.
// It stays, because fingerprints in the status are made with it.
func (c *currentConfig) reportToken() string {
	token := rand.Text()
	if c != nil && len(c.files[render.FileReportToken]) == len(token) {
		return string(c.files[render.FileReportToken])
	}
	return token
}

// findConfig returns the configuration in the cluster; nil when there is none.
func (p *pass) findConfig(ctx context.Context) (*currentConfig, error) {
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: p.key.Namespace, Name: children.ConnectorName(p.key.Name)}
	if err := p.Own.Get(ctx, key, secret); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if !apply.Belongs(secret, p.connector) {
		return nil, nil //nolint:nilnil // another owner's is as good as none
	}
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
	// input is what the children are built from, but for the turn of an upgrade. It has no
	// Config where the declared one cannot be made: the one in the cluster stays.
	input children.Input
	// startable says that a pod can start: there is a configuration, declared or current.
	startable bool
	// obstacle is why the connector would refuse the configuration; nil when it would not.
	obstacle *status.Obstacle
}

// renderConfig makes the configuration that is declared.
func (p *pass) renderConfig(current *currentConfig, has resolved) (r rendered) {
	r.input = children.Input{Connector: p.connector, Image: p.Image, APIKeyRegenerated: has.apiKey.regenerated}
	if current != nil {
		r.startable, r.input.StartDigest, r.input.ConfigWrittenAt = true, current.startDigest, current.writtenAt
	}
	if has.Credentials == nil {
		return r
	}
	has.Credentials.ReportToken = current.reportToken()
	config, err := render.Render(p.connector, has.Credentials)
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
