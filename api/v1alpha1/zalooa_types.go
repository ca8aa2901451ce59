package v1alpha1

import "slices"

// ZaloOA is a Zalo app with one or more Official Accounts (OAs). Every OA that
// authorised the app calls the same webhook.
//
// +kubebuilder:validation:XValidation:rule="self.signature.mode == 'Off' || (has(self.signature.secretKeyRefs) && size(self.signature.secretKeyRefs) > 0) || (has(self.officialAccounts) && self.officialAccounts.exists(a, has(a.secretKeyRefs) && size(a.secretKeyRefs) > 0))",fieldPath=".signature.secretKeyRefs",reason=FieldValueRequired,message="zaloOA.signature.secretKeyRefs: name at least one Secret key that holds the OA secret key, or write mode: \"Off\" to verify nothing"
type ZaloOA struct {
	// appID is the Zalo app's id, decimal digits in quotes. Example:
	// "2553928453557884079"
	// +required
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^[0-9]+$')",message="zaloOA.appID: write the app's id from Zalo's console: decimal digits only, in quotes"
	AppID string `json:"appID"`
	// signature says how calls are verified.
	// +required
	Signature Signature `json:"signature"`
	// officialAccounts is an allow-list: events of these OAs, and events that name
	// no OA, are delivered. The others are answered 200 and counted, since a refusal
	// would cost the whole app its webhook. Default: every OA that authorised the
	// app.
	// +optional
	// +listType=map
	// +listMapKey=id
	// +kubebuilder:validation:MaxItems=1000
	// +kubebuilder:validation:XValidation:rule="self.filter(a, has(a.secretKeyRefs)).size() <= 100",message="zaloOA.officialAccounts: at most 100 OAs with secretKeyRefs: create another ChannelConnector"
	OfficialAccounts []OfficialAccount `json:"officialAccounts,omitempty"`
	// domainVerification serves the pages by which Zalo's console verifies that the
	// webhook's domain is yours. Default: nothing is served. Example: {codes:
	// [AbCdEf]}
	// +optional
	DomainVerification *DomainVerification `json:"domainVerification,omitempty"`
}

// IgnoresSecrets reports whether the connector looks at none of the Secret keys that the
// member names.
func (z ZaloOA) IgnoresSecrets() bool { return z.Signature.Mode == SignatureOff }

// NextStep says what to do with the webhook's URL: Zalo's console shows the OA secret key only after it has called it.
func (z ZaloOA) NextStep(url string) string {
	events := "events are answered 503, so that Zalo's retries keep them"
	if z.Signature.Mode == SignatureAudit {
		events = "events are taken unverified, as signature.mode Audit says"
	}
	return "paste " + url +
		" as the webhook URL into Zalo's console, which shows the OA secret key after its call was answered. Until then " + events
}

// Shrink leaves out the accounts without keys of their own.
func (z *ZaloOA) Shrink() {
	z.OfficialAccounts = slices.DeleteFunc(z.OfficialAccounts, func(a OfficialAccount) bool { return len(a.SecretKeyRefs) == 0 })
	for i := range z.OfficialAccounts {
		z.OfficialAccounts[i].DisplayName = ""
	}
	z.OfficialAccounts = slices.Clip(z.OfficialAccounts)
}

// SignatureMode says what happens to a call with a missing or wrong signature.
// +kubebuilder:validation:Enum=Enforce;Audit;Off
type SignatureMode string

// The signature modes.
const (
	SignatureEnforce SignatureMode = "Enforce"
	SignatureAudit   SignatureMode = "Audit"
	SignatureOff     SignatureMode = "Off"
)

// Signature is the verification of the header X-ZEvent-Signature.
type Signature struct {
	// mode says what happens to a call with a missing or wrong signature: Enforce
	// refuses it with 401, Audit accepts, counts and reports it, Off looks at no
	// signature. Default: Enforce. Put "Off" in quotes: YAML reads a bare Off as
	// false.
	// +optional
	// +kubebuilder:default=Enforce
	Mode SignatureMode `json:"mode,omitempty"`
	// secretKeyRefs name the OA secret keys from Zalo's console (neither the
	// app's secret nor an access token). Any of them signs for every OA of the
	// app, and for events that name no OA: list the old and the new one during a
	// rotation. Required unless an OA of officialAccounts has keys, or mode is
	// "Off".
	// +optional
	// +listType=map
	// +listMapKey=name
	// +listMapKey=key
	// +kubebuilder:validation:MaxItems=32
	SecretKeyRefs []SecretKeyRef `json:"secretKeyRefs,omitempty"`
}

// OfficialAccount is an OA on the allow-list.
type OfficialAccount struct {
	// id is the OA's id, in quotes. Example: "3662729599332560487"
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="zaloOA.officialAccounts.id: holds a line break or another control character: write the id alone"
	ID string `json:"id"`
	// displayName is for people, in any script. Default: none. Example: Shop Hà Nội
	// +optional
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule="!self.matches('[[:cntrl:]]')",message="zaloOA.officialAccounts.displayName: holds a line break or another control character: write one line"
	DisplayName string `json:"displayName,omitempty"`
	// secretKeyRefs name OA secret keys that sign for this OA alone, beside those
	// of signature.secretKeyRefs: an event is verified with them if it names this
	// OA and no other one of the list. So the holder of one OA's key cannot speak
	// for another OA. At most 2: the old and the new key during a rotation. Default: none.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +listMapKey=key
	// +kubebuilder:validation:MaxItems=2
	SecretKeyRefs []SecretKeyRef `json:"secretKeyRefs,omitempty"`
}

// DomainVerification lists the codes that Zalo's console shows.
type DomainVerification struct {
	// codes are served as /zalo_verifier<code>.html and as meta tags on /.
	// Letters, digits, "-" and "_". Example: AbCdEf
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=128
	// +kubebuilder:validation:items:XValidation:rule="self.matches('^[A-Za-z0-9_-]+$')",message="zaloOA.domainVerification.codes: write the code alone, as in zalo_verifier<code>.html: letters, digits, - and _"
	Codes []string `json:"codes"`
}
