package v1alpha1

// FacebookMessenger is a Meta app with Facebook Pages or Instagram accounts. All of
// them call the app's one webhook.
//
// +kubebuilder:validation:XValidation:rule="self.signature.mode == 'Off' || (has(self.signature.secretKeyRefs) && size(self.signature.secretKeyRefs) > 0)",fieldPath=".signature.secretKeyRefs",reason=FieldValueRequired,message="facebookMessenger.signature.secretKeyRefs: name at least one Secret key that holds the app secret, or write mode: \"Off\" to verify nothing"
type FacebookMessenger struct {
	// signature says how calls are verified.
	// +required
	Signature MessengerSignature `json:"signature"`
	// verifyTokenSecretKeyRef names the verify token: a text that you choose and
	// write into Meta's console beside the callback URL. Meta shows it when the
	// callback URL is saved.
	// +required
	VerifyTokenSecretKeyRef SecretKeyRef `json:"verifyTokenSecretKeyRef"`
	// pages is an allow-list: events of these Pages or Instagram accounts are
	// delivered. The others are answered 200 and counted, since a refusal would cost
	// the whole app its webhook. Default: every Page and account of the app.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=1000
	Pages []FacebookPage `json:"pages,omitempty"`
}

// IgnoresSecrets reports whether the connector looks at none of the Secret keys in the
// member's lists.
func (f FacebookMessenger) IgnoresSecrets() bool { return f.Signature.Mode == SignatureOff }

// NextStep says what to do with the webhook's URL: Meta calls it when it is saved.
func (f FacebookMessenger) NextStep(url string) string {
	events := "events are answered 503, so that Meta's retries keep them"
	if f.Signature.Mode == SignatureAudit {
		events = "events are taken unverified, as signature.mode Audit says"
	}
	return "put the app secret (App settings > Basic of Meta's console) into the Secret of signature.secretKeyRefs, and a verify token that " +
		"you choose into that of verifyTokenSecretKeyRef; then paste " + url + " as the Callback URL, and the verify token, into " +
		"Messenger > Webhooks of the console. Until then " + events
}

// Shrink leaves out the pages, of which no operator needs to know.
func (f *FacebookMessenger) Shrink() { f.Pages = nil }

// MessengerSignature is the verification of the header X-Hub-Signature-256.
type MessengerSignature struct {
	// mode says what happens to a call with a missing or wrong signature: Enforce
	// refuses it with 401, Audit accepts, counts and reports it, Off looks at no
	// signature. Default: Enforce. Put "Off" in quotes: YAML reads a bare Off as
	// false.
	// +optional
	// +kubebuilder:default=Enforce
	Mode SignatureMode `json:"mode,omitempty"`
	// secretKeyRefs name the app secrets from Meta's console, App settings > Basic
	// (neither the verify token nor an access token). Any of them signs for every
	// Page of the app: list the old and the new one during a rotation. Required
	// unless mode is "Off".
	// +optional
	// +listType=map
	// +listMapKey=name
	// +listMapKey=key
	// +kubebuilder:validation:MaxItems=32
	SecretKeyRefs []SecretKeyRef `json:"secretKeyRefs,omitempty"`
}

// FacebookPage is a Page or an Instagram account on the allow-list.
type FacebookPage struct {
	// id is that of the Page, or of the Instagram professional account, in quotes.
	// Example: "104567891234567"
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="facebookMessenger.pages.id: holds a line break or another control character: write the id alone"
	ID string `json:"id"`
	// displayName is for people, in any script. Default: none. Example: Shop Hà Nội
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="facebookMessenger.pages.displayName: holds a line break or another control character: write one line"
	DisplayName string `json:"displayName,omitempty"`
}
