package children

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

// apiKeyBytes are 64 hex digits, as xBot's keys have.
const apiKeyBytes = 32

// APIKeySecret is a Secret with a new API key. A team pastes the key into the platform's console, so the Secret must
// outlive mistakes: it has no owner, and nothing ever changes or deletes it. It is the one object that is not applied.
// It notes for which value of the annotation it was made, in case nobody comes to note that elsewhere.
func APIKeySecret(c *v1alpha1.ChannelConnector) (*corev1.Secret, error) {
	key := make([]byte, apiKeyBytes)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make an API key: %w", err)
	}
	secret := &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Name: APIKeyName(c.Name), Namespace: c.Namespace,
			Labels: keptLabels(c.Name), Annotations: keptAnnotations(c),
		},
		Data: map[string][]byte{credentials.GeneratedKey: []byte(hex.EncodeToString(key))},
	}
	if asked := c.Annotations[marks.AnnotationRegenerateAPIKey]; asked != "" {
		secret.Annotations[marks.AnnotationAPIKeyRegenerated] = asked
	}
	return secret, nil
}
