package v1alpha1

// AzureBot is a bot of Azure Bot Service. Teams, Web Chat, Direct Line, mail and
// the other channels of Bot Framework reach it by the same webhook.
//
// +kubebuilder:validation:XValidation:rule="has(self.appID) || self.token.mode == 'Off'",fieldPath=".appID",reason=FieldValueRequired,message="azureBot.appID: write the bot's Microsoft App ID, for which tokens are, or token.mode: \"Off\" to verify nothing"
type AzureBot struct {
	// appID is the bot's Microsoft App ID, a GUID. Required unless token.mode is
	// "Off". Example: 6b1c8f0e-5a1d-4c0e-9a52-1f2e3d4c5b6a
	// +optional
	// +kubebuilder:validation:MaxLength=36
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')",message="azureBot.appID: write the bot's Microsoft App ID from the Azure portal, a GUID such as 6b1c8f0e-5a1d-4c0e-9a52-1f2e3d4c5b6a"
	AppID string `json:"appID,omitempty"`
	// token says how calls are verified. Default: each field's own.
	// +optional
	// +kubebuilder:default={}
	Token AzureToken `json:"token,omitempty"`
	// userID says how the subject of an event names the user, whose id is personal
	// data, often a mail address. Hashed: by a pseudonym, the same for all events of
	// a user in this channel. Clear: by the id. The event's body is never changed.
	// Default: Hashed
	// +optional
	// +kubebuilder:default=Hashed
	UserID UserID `json:"userID,omitempty"`
	// webChat opens web chats for the visitors of web pages. Default: none. Example:
	// {directLineSecretKeyRef: {name: shop-azure, key: direct-line-secret},
	// partnerKeys: [{name: web, secretKeyRef: {name: shop-partners, key: web}}]}
	// +optional
	WebChat *WebChat `json:"webChat,omitempty"`
}

// IgnoresSecrets reports whether the connector looks at none of the Secret keys in the
// member's lists. It has no such list.
func (AzureBot) IgnoresSecrets() bool { return false }

// NextStep says what to do with the webhook's URL.
func (AzureBot) NextStep(url string) string {
	return "paste " + url + " as the messaging endpoint into the Azure portal: Bot resource, Configuration. " +
		"If xBot made the bot, paste it into xBot's console"
}

// Shrink leaves nothing out: there is nothing large.
func (*AzureBot) Shrink() {}

// AzureToken is the verification of the bearer token with which Azure calls.
//
// +kubebuilder:validation:XValidation:rule="!has(self.cloud) || !has(self.metadataURL)",fieldPath=".metadataURL",message="azureBot.token: write at most one of cloud and metadataURL"
// +kubebuilder:validation:XValidation:rule="!has(self.metadataURL) || isURL(self.metadataURL) && self.metadataURL.matches('^https?://[^/@?#][^@?#]*$')",fieldPath=".metadataURL",message="azureBot.token.metadataURL: write an absolute http or https URL without credentials, query and fragment"
// +kubebuilder:validation:XValidation:rule="!has(self.caSecretKeyRef) || !has(self.caConfigMapKeyRef)",fieldPath=".caConfigMapKeyRef",message="azureBot.token: write at most one of caSecretKeyRef and caConfigMapKeyRef"
type AzureToken struct {
	// mode says what happens to a call with a missing or wrong token: Enforce
	// refuses it with 401, Audit accepts, counts and reports it, Off looks at no
	// token. Default: Enforce. Put "Off" in quotes: YAML reads a bare Off as false.
	// +optional
	// +kubebuilder:default=Enforce
	Mode SignatureMode `json:"mode,omitempty"`
	// cloud is that of Azure: Public, USGovernment or China. Default: Public, unless
	// metadataURL is set.
	// +optional
	Cloud AzureCloud `json:"cloud,omitempty"`
	// metadataURL is an OpenID metadata document to use instead of the cloud's, for
	// clusters without a way to Azure. Its keys are trusted for the issuer that it
	// names, and for tenants. Default: the cloud's documents. Example:
	// https://azure-mirror.example/openidconfiguration
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	MetadataURL string `json:"metadataURL,omitempty"`
	// caSecretKeyRef names a PEM bundle of certificate authorities to trust instead
	// of the system's when the documents are fetched. Default: the system's.
	// Example: {name: company-ca, key: ca.crt}
	// +optional
	CASecretKeyRef *SecretKeyRef `json:"caSecretKeyRef,omitempty"`
	// caConfigMapKeyRef names such a bundle in a ConfigMap instead. Default: none.
	// Example: {name: company-ca, key: ca-bundle.crt}
	// +optional
	CAConfigMapKeyRef *ConfigMapKeyRef `json:"caConfigMapKeyRef,omitempty"`
	// tenants are ids of Entra tenants. Tokens that one of them issued for the bot
	// are taken beside those of Bot Framework. Every app of such a tenant may get
	// one: list a tenant only if Azure calls the bot with its tokens. Default: none.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=36
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')",message="azureBot.token.tenants: write the id of an Entra tenant, a GUID"
	Tenants []string `json:"tenants,omitempty"`
}

// AzureCloud is one of Azure's clouds.
// +kubebuilder:validation:Enum=Public;USGovernment;China
type AzureCloud string

// The clouds.
const (
	AzurePublic       AzureCloud = "Public"
	AzureUSGovernment AzureCloud = "USGovernment"
	AzureChina        AzureCloud = "China"
)

// UserID says how events name the user.
// +kubebuilder:validation:Enum=Hashed;Clear
type UserID string

// The ways to name the user.
const (
	UserHashed UserID = "Hashed"
	UserClear  UserID = "Clear"
)
