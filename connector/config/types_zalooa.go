package config

// ZaloOA is a Zalo app with one or more Official Accounts (OAs).
type ZaloOA struct {
	// AppID is the Zalo app's id: decimal digits, quoted in YAML. Required.
	AppID string `yaml:"appID,omitempty"`
	// Signature says how calls are verified.
	Signature Signature `yaml:"signature,omitempty"`
	// OfficialAccounts is an allow-list of the OAs whose events are delivered,
	// along with events that name no OA. An OA's id that cannot be read, since
	// it is no text or too long, is on no list. Empty: every OA that authorised
	// the app.
	OfficialAccounts []OfficialAccount `yaml:"officialAccounts,omitempty"`
	// DomainVerification serves what Zalo's console asks for to prove that the
	// webhook's domain is yours.
	DomainVerification DomainVerification `yaml:"domainVerification,omitempty"`
}

// SignatureMode says what happens to a call whose signature does not verify.
type SignatureMode string

const (
	// SignatureEnforce refuses it with 401.
	SignatureEnforce SignatureMode = "Enforce"
	// SignatureAudit accepts it, and counts and reports it.
	SignatureAudit SignatureMode = "Audit"
	// SignatureOff looks at no signature at all.
	SignatureOff SignatureMode = "Off"
)

// Signature is the verification of the header X-ZEvent-Signature.
type Signature struct {
	// Mode is "Enforce", "Audit" or "Off". Default: "Enforce".
	Mode SignatureMode `yaml:"mode,omitempty"`
	// SecretKeys are the OA secret keys from Zalo's console. Any of them signs for
	// every OA of the app, and for events that name no OA: list the old and the
	// new one during a rotation. Required unless an OA of officialAccounts has
	// keys, or mode is "Off", which leaves all keys unused. While every key is
	// missing, mode "Enforce" answers events 503, so that Zalo's retries keep them:
	// Zalo's console shows the first key only after it has called the webhook.
	SecretKeys []Secret `yaml:"secretKeys,omitempty"`
}

// OfficialAccount is an OA on the allow-list.
type OfficialAccount struct {
	// ID is the OA's id, quoted in YAML. Required.
	ID string `yaml:"id,omitempty"`
	// DisplayName is for people.
	DisplayName string `yaml:"displayName,omitempty"`
	// SecretKeys are OA secret keys that sign for this OA alone, beside those of
	// signature.secretKeys: an event is verified with them if it names this OA and
	// no other one of the list. So whoever holds one OA's key cannot speak for
	// another OA.
	SecretKeys []Secret `yaml:"secretKeys,omitempty"`
}

// DomainVerification lists the codes that Zalo's console shows.
type DomainVerification struct {
	// Codes are served as /zalo_verifier<code>.html and as meta tags on /.
	// Letters, digits, "-" and "_" only.
	Codes []string `yaml:"codes,omitempty"`
}
