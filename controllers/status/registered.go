package status

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// The reasons of WebhookRegistered; ReasonPending is one more.
const (
	ReasonRegistered         = "Registered"
	ReasonRegistering        = "Registering"
	ReasonRegistrationFailed = "RegistrationFailed"
	ReasonCredentialRefused  = "CredentialRefused" //nolint:gosec // the name of a reason
	ReasonCredentialTaken    = "CredentialTaken"   //nolint:gosec // the name of a reason
)

// Registration is how far the operator is in telling the platform where to call.
type Registration struct {
	// Fingerprint is of what the platform was told last.
	Fingerprint string
	// Reason is that of the condition. Empty: nothing can be said now, and the last condition stands.
	Reason string
	// Detail is what a pending registration waits for, or why one failed; of a taken credential, who has it.
	Detail string
	// Credential names the Secret key that opens the platform's API.
	Credential string
}

// Exposed returns the webhook's URL with a placeholder for the API key, and reports whether the platform reaches it there
// by HTTPS, as far as the operator can know. The URL is empty where there is none.
func Exposed(o Observation) (url string, reached bool) {
	url = webhookURL(o)
	v := exposed(o)
	reached = v != nil && (v.status == metav1.ConditionTrue || v.reason == ReasonGatewayUnknown)
	return url, reached && strings.HasPrefix(url, "https://")
}

// WithKey puts an API key, escaped for a query, into a URL of Exposed.
func WithKey(url, key string) string { return strings.TrimSuffix(url, keyPlaceholder) + key }

// Serves reports whether the pods are those that are declared, and take calls.
func Serves(o Observation) bool {
	return o.Obstacle == nil && o.ConfigWritten && o.Deployment != nil && workload(o).reason == ReasonAvailable && o.rolledOut()
}

// registered is what the status says of the registration; nil if the operator registers nothing.
func registered(o Observation) *condition {
	r := o.Registration
	if r == nil {
		return nil
	}
	t := types.Channel(string(o.Connector.Spec.Type))
	before := meta.FindStatusCondition(o.Connector.Status.Conditions, v1alpha1.ConditionWebhookRegistered)
	v := &condition{status: metav1.ConditionFalse, reason: r.Reason}
	switch r.Reason {
	case "":
		if before != nil {
			return &condition{status: before.Status, reason: before.Reason, message: before.Message}
		}
		v.reason, v.message = ReasonPending, fmt.Sprintf("%s is told where to call once the Secrets can be read: Ready says why not", t.Platform)
	case ReasonRegistered:
		v.status, v.message = metav1.ConditionTrue, fmt.Sprintf("%s was told to call the webhook's URL with the first API key, and to send the "+
			"first %s", t.Platform, t.Words.SecretName)
	case ReasonPending:
		v.message = fmt.Sprintf("%s is told where to call once %s", t.Platform, r.Detail)
	case ReasonRegistering:
		v.message = fmt.Sprintf("%s is being told where to call", t.Platform)
	case ReasonCredentialTaken:
		v.message = fmt.Sprintf("ChannelConnector %q, which is older, names %s as well, and a bot calls one webhook: make a bot for each, or "+
			"leave out register here", r.Detail, r.Credential)
	case ReasonCredentialRefused:
		v.message = fmt.Sprintf("%s does not take the credential of %s: %s. Put the right one into the Secret; it is tried then, and every 10 "+
			"minutes", t.Platform, r.Credential, r.Detail)
	default:
		v.message = fmt.Sprintf("%s. It is tried again, every 10 minutes at the latest unless the platform asks for more time", r.Detail)
	}
	if before != nil && before.Reason == v.reason && SameWords(before.Message, v.message) {
		v.message = before.Message // a time or an id in it causes no write
	}
	return v
}
