package children

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;create;patch

// ConfigSecret holds the connector's configuration and the certificates that it names.
var ConfigSecret = Kind{
	Name: "Secret", Private: true, Want: wantConfigSecret,
	New: func() client.Object { return &corev1.Secret{} },
}

func wantConfigSecret(in Input) runtime.ApplyConfiguration {
	if in.Config == nil {
		return nil
	}
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
