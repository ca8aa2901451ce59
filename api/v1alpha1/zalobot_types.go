package v1alpha1

// ZaloBot is a bot of the Zalo Bot platform. Its calls carry the secret token that
// setWebhook was called with.
//
// +kubebuilder:validation:XValidation:rule="self.secretToken.mode == 'Off' || (has(self.secretToken.secretKeyRefs) && size(self.secretToken.secretKeyRefs) > 0)",fieldPath=".secretToken.secretKeyRefs",reason=FieldValueRequired,message="zaloBot.secretToken.secretKeyRefs: name at least one Secret key that holds the secret token given to setWebhook, or write mode: \"Off\" to verify nothing"
// +kubebuilder:validation:XValidation:rule="!has(self.register) || !self.register || has(self.botTokenSecretKeyRef)",fieldPath=".botTokenSecretKeyRef",reason=FieldValueRequired,message="zaloBot.botTokenSecretKeyRef: required with register: name the Secret key that holds the bot token, or leave out register and call setWebhook yourself"
// +kubebuilder:validation:XValidation:rule="!has(self.register) || !self.register || (self.secretToken.mode != 'Off' && has(self.secretToken.secretKeyRefs) && size(self.secretToken.secretKeyRefs) > 0)",fieldPath=".secretToken",message="zaloBot.secretToken: with register name a Secret key in secretKeyRefs, and write another mode than \"Off\": setWebhook needs a secret token"
type ZaloBot struct {
	// secretToken says how calls are verified.
	// +required
	SecretToken SecretToken `json:"secretToken"`
	// botTokenSecretKeyRef names the bot token, with which the operator calls
	// setWebhook. No pod of the connector gets it. Required with register. Example:
	// {name: shop-zalobot, key: bot-token}
	// +optional
	BotTokenSecretKeyRef *SecretKeyRef `json:"botTokenSecretKeyRef,omitempty" connector:"-"`
	// register lets the operator tell Zalo where to call: setWebhook with the
	// exposed URL, the first of webhook.apiKeys and the first secret token, again
	// whenever one of them changes. Needs botTokenSecretKeyRef and spec.exposure. The
	// webhook stays registered when the resource is deleted. Default: false, and you
	// call setWebhook yourself.
	// +optional
	Register bool `json:"register,omitempty" connector:"-"`
}

// Registers reports whether the operator tells Zalo where to call.
func (z ZaloBot) Registers() bool { return z.Register }

// IgnoresSecrets reports whether the connector looks at none of the Secret keys that the
// member names.
func (z ZaloBot) IgnoresSecrets() bool { return z.SecretToken.Mode == SignatureOff }

// NextStep says what to do with the webhook's URL: nobody but the team chooses the secret token.
func (z ZaloBot) NextStep(url string) string {
	events := "events are answered 503"
	if z.SecretToken.Mode == SignatureAudit {
		events = "events are taken unverified, as secretToken.mode Audit says"
	}
	if z.Register {
		return "choose a secret token of 8 to 256 characters (openssl rand -hex 32), and put it into that Secret: the operator calls " +
			"setWebhook with it and " + url + ". Until then " + events
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
	// lets a call in: list the old and the new one during a rotation, the new one
	// first if register is true. Required unless mode is "Off".
	// +optional
	// +listType=map
	// +listMapKey=name
	// +listMapKey=key
	// +kubebuilder:validation:MaxItems=32
	SecretKeyRefs []SecretKeyRef `json:"secretKeyRefs,omitempty"`
}
