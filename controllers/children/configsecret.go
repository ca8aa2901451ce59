package children

import (
	"time"

	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// ConfigSecret holds the connector's configuration and the certificates that it
// names.
func ConfigSecret(in Input) *corev1ac.SecretApplyConfiguration {
	secret := corev1ac.Secret(ConnectorName(in.Connector.Name), in.Connector.Namespace).
		WithLabels(Labels(in.Connector.Name)).
		WithAnnotations(annotations(in.Connector)).
		WithAnnotations(map[string]string{
			marks.AnnotationConfigDigest: in.Config.Digest,
			marks.AnnotationStartDigest:  in.StartDigest,
		}).
		WithOwnerReferences(owner(in.Connector)...).
		WithData(in.Config.Files)
	if !in.ConfigWrittenAt.IsZero() {
		secret.WithAnnotations(map[string]string{marks.AnnotationConfigWrittenAt: in.ConfigWrittenAt.UTC().Format(time.RFC3339Nano)})
	}
	if in.APIKeyRegenerated != "" {
		secret.WithAnnotations(map[string]string{marks.AnnotationAPIKeyRegenerated: in.APIKeyRegenerated})
	}
	return secret
}
