package children

import (
	"time"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
)

// The annotations of the Secret with the configuration.
const (
	// AnnotationConfigDigest identifies the configuration, as render.Config does.
	AnnotationConfigDigest = "xbot.a4b.vn/config-digest"
	// AnnotationStartDigest is Input.StartDigest, also on the pods.
	AnnotationStartDigest = "xbot.a4b.vn/start-digest"
	// AnnotationConfigWrittenAt is Input.ConfigWrittenAt in RFC 3339.
	AnnotationConfigWrittenAt = "xbot.a4b.vn/config-written-at"
	// AnnotationAPIKeyRegenerated is Input.APIKeyRegenerated.
	AnnotationAPIKeyRegenerated = "xbot.a4b.vn/api-key-regenerated" //nolint:gosec // the name of an annotation
)

// ConfigSecret holds the connector's configuration and the certificates that it
// names.
func ConfigSecret(in Input) *corev1ac.SecretApplyConfiguration {
	secret := corev1ac.Secret(ConnectorName(in.Connector.Name), in.Connector.Namespace).
		WithLabels(Labels(in.Connector.Name)).
		WithAnnotations(annotations(in.Connector)).
		WithAnnotations(map[string]string{
			AnnotationConfigDigest: in.Config.Digest,
			AnnotationStartDigest:  in.StartDigest,
		}).
		WithOwnerReferences(owner(in.Connector)...).
		WithData(in.Config.Files)
	if !in.ConfigWrittenAt.IsZero() {
		secret.WithAnnotations(map[string]string{AnnotationConfigWrittenAt: in.ConfigWrittenAt.UTC().Format(time.RFC3339Nano)})
	}
	if in.APIKeyRegenerated != "" {
		secret.WithAnnotations(map[string]string{AnnotationAPIKeyRegenerated: in.APIKeyRegenerated})
	}
	return secret
}
