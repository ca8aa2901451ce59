package v1alpha1

// WebChat lets the servers of web pages open a web chat for their visitors, as
// xBot's InitForClient does: POST /partner/xpbot/api/webchat/initForClient makes a
// Direct Line token.
//
// The rules on the URL are here and not at the field, because a refusal quotes a
// field's value, which may hold credentials.
//
// +kubebuilder:validation:XValidation:rule="!has(self.url) || (self.url.matches('^[hH][tT][tT][pP][sS]?://[^/?#]+') && isURL(self.url) && size(url(self.url).getHostname()) > 0)",fieldPath=".url",message="azureBot.webChat.url: write an absolute URL, for example https://europe.directline.botframework.com"
// +kubebuilder:validation:XValidation:rule="!has(self.url) || !self.url.matches('^[^:]+://[^/?#]*@')",fieldPath=".url",message="azureBot.webChat.url: must hold no credentials: the secret's place is the Secret that directLineSecretKeyRef names"
// +kubebuilder:validation:XValidation:rule="!has(self.url) || !self.url.matches('[?#]')",fieldPath=".url",message="azureBot.webChat.url: must hold no query and no fragment: the connector appends /v3/directline and the rest"
// +kubebuilder:validation:XValidation:rule="!has(self.url) || !self.url.matches('^[^/]+//[^/?#]*:0*(0|[1-9][0-9]{5,}|[7-9][0-9]{4}|6[6-9][0-9]{3}|65[6-9][0-9]{2}|655[4-9][0-9]|6553[6-9])([/?#]|$)')",fieldPath=".url",message="azureBot.webChat.url: write a port from 1 to 65535"
type WebChat struct {
	// directLineSecretKeyRef names either of the two secret keys of the bot's Direct
	// Line channel in the Azure portal. While it is missing, a call for a new token
	// is answered 503. Example: {name: shop-azure, key: direct-line-secret}
	// +required
	DirectLineSecretKeyRef SecretKeyRef `json:"directLineSecretKeyRef"`
	// partnerKeys let the servers of web pages in: a call needs one of them in its
	// header x-api-key, beside an API key of the webhook. List the old and the new
	// one during a rotation.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	PartnerKeys []PartnerKey `json:"partnerKeys"`
	// userIDSecretKeyRef names the secret that makes the Direct Line user ids from
	// those of the pages, so that nobody can guess them. Name one that keeps the Direct
	// Line secret's old value before that is replaced, or one of your own from the
	// start, and users keep their ids. Default: the Direct Line secret. Example: {name:
	// shop-azure, key: user-ids}
	// +optional
	UserIDSecretKeyRef *SecretKeyRef `json:"userIDSecretKeyRef,omitempty"`
	// trustedOrigins are the origins of the pages that may host the chat. Direct Line
	// binds them to each token. Default: those of the Direct Line channel in the Azure
	// portal. Example: [https://shop.example]
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=256
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^https?://([a-z0-9_-]+([.][a-z0-9_-]+)*|[[][0-9a-f:.]+[]])(:[1-9][0-9]{0,4})?$') && !self.matches(':([7-9][0-9]{4}|6[6-9][0-9]{3}|65[6-9][0-9]{2}|655[4-9][0-9]|6553[6-9])$')",message="azureBot.webChat.trustedOrigins: write an origin as browsers send it, for example https://shop.example or http://localhost:3000: scheme, host in lower case and perhaps a port, with nothing after it"
	TrustedOrigins []string `json:"trustedOrigins,omitempty"`
	// url is that of Direct Line, without /v3/directline: another cloud's or region's.
	// Default: https://directline.botframework.com. Example:
	// https://europe.directline.botframework.com
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`
}

// PartnerKey lets the server of a web page in.
type PartnerKey struct {
	// name tells keys apart in messages. Example: "2026-11"
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="azureBot.webChat.partnerKeys.name: holds a line break or another control character: write one line"
	Name string `json:"name"`
	// secretKeyRef names the Secret key that holds the key: at least 16 characters,
	// and neither an API key of the webhook nor the Direct Line secret. Example: {name:
	// shop-partners, key: web-2026-11}
	// +required
	SecretKeyRef SecretKeyRef `json:"secretKeyRef"`
}
