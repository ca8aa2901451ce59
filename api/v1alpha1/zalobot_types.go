package v1alpha1

// ZaloBot is a bot of the Zalo Bot platform. Its calls carry the secret token that
// setWebhook was called with.
//
// +kubebuilder:validation:XValidation:rule="self.secretToken.mode == 'Off' || (has(self.secretToken.secretKeyRefs) && size(self.secretToken.secretKeyRefs) > 0)",fieldPath=".secretToken.secretKeyRefs",reason=FieldValueRequired,message="zaloBot.secretToken.secretKeyRefs: name at least one Secret key that holds the secret token given to setWebhook, or write mode: \"Off\" to verify nothing"
type ZaloBot struct {
	// secretToken says how calls are verified.
	// +required
	SecretToken SecretToken `json:"secretToken"`
}

// IgnoresSecrets reports whether the connector looks at none of the Secret keys that the
// member names.
func (z ZaloBot) IgnoresSecrets() bool { return z.SecretToken.Mode == SignatureOff }

// NextStep says what to do with the webhook's URL: nobody but the team chooses the secret token.
func (z ZaloBot) NextStep(url string) string {
	events := "events are answered 503"
	if z.SecretToken.Mode == SignatureAudit {
		events = "events are taken unverified, as secretToken.mode Audit says"
	}
	return "choose a secret token of 8 to 256 characters (openssl rand -hex 32), put it into that Secret, and call setWebhook with it and " +
		url + ". Until then " + events
}

// Shrink leaves nothing out: the member is small.
func (*ZaloBot) Shrink() {}

// SecretToken is the verification of the header X-Bot-Api-Secret-Token.
type SecretToken struct {
	// mode says what happens to a call with a missing or wrong secret token: Enforce
	// refuses it with 401, Audit accepts, counts and reports it, Off looks at no
	// token. Default: Enforce. Put "Off" in quotes: YAML reads a bare Off as false.
	// +optional
	// +kubebuilder:default=Enforce
	Mode SignatureMode `json:"mode,omitempty"`
	// secretKeyRefs name the secret tokens: 8 to 256 characters that you choose and
	// give to setWebhook (neither the bot's token nor the xBot API key). Any of them
	// lets a call in: list the old and the new one during a rotation. Required unless
	// mode is "Off".
	// +optional
	// +listType=map
	// +listMapKey=name
	// +listMapKey=key
	// +kubebuilder:validation:MaxItems=32
	SecretKeyRefs []SecretKeyRef `json:"secretKeyRefs,omitempty"`
}
