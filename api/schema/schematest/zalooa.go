package schematest

import "strings"

// unionRules are those of the members that a type asks for.
var unionRules = []Rule{
	{
		Name:     "no type",
		Accepted: `type: ZaloOA`,
		Refused:  `type: null`,
		Messages: []string{`spec.type: Required value`},
	},
	{
		Name:     "an unknown type",
		Accepted: `type: ZaloOA`,
		Refused:  `type: Telegram`,
		Messages: []string{`spec.type: Unsupported value: "Telegram": supported values: "ZaloOA"`},
	},
	{
		Name:     "no member for the type",
		Accepted: `zaloOA: {appID: "1"}`,
		Refused:  `zaloOA: null`,
		Messages: []string{`spec.zaloOA: Required value: zaloOA: required for type ZaloOA: write zaloOA.appID and zaloOA.signature.secretKeyRefs`},
	},
	{
		Name:     "no sink",
		Accepted: `sink: {http: {url: "http://bot"}}`,
		Refused:  `sink: null`,
		Messages: []string{`spec.sink: Required value`},
	},
	{
		Name:     "an unknown type of sink",
		Accepted: `sink: {type: HTTP}`,
		Refused:  `sink: {type: Kafka}`,
		Messages: []string{`spec.sink.type: Unsupported value: "Kafka": supported values: "HTTP"`},
	},
	{
		Name:     "no member for the sink's type",
		Accepted: `sink: {type: HTTP}`,
		Refused:  `sink: {http: null}`,
		Messages: []string{`spec.sink.http: Required value: sink.http: required for type HTTP: write sink.http.url`},
	},
	{
		Name:     "an unknown type of inbox",
		Accepted: `inbox: {type: Embedded}`,
		Refused:  `inbox: {type: JetStream}`,
		Messages: []string{`spec.inbox.type: Unsupported value: "JetStream": supported values: "Embedded"`},
	},
}

// zaloOARules are those of spec.zaloOA.
var zaloOARules = []Rule{
	{
		Name:     "no app id",
		Accepted: `zaloOA: {appID: "0"}`,
		Refused:  `zaloOA: {appID: null}`,
		Messages: []string{`spec.zaloOA.appID: Required value`},
	},
	{
		Name:     "an app id without quotes",
		Accepted: `zaloOA: {appID: "2553928453557884079"}`,
		Refused:  `zaloOA: {appID: 2553928453557884079}`,
		Messages: []string{`spec.zaloOA.appID: Invalid value: "integer": spec.zaloOA.appID in body must be of type string: "integer"`},
	},
	{
		Name:     "an app id that is no number",
		Accepted: `zaloOA: {appID: "0123456789"}`,
		Refused:  `zaloOA: {appID: "25539a"}`,
		Messages: []string{`spec.zaloOA.appID: Invalid value: "25539a": zaloOA.appID: write the app's id from Zalo's console: decimal digits only, in quotes`},
	},
	{
		Name:     "an app id in other digits",
		Accepted: `zaloOA: {appID: "12"}`,
		Refused:  `zaloOA: {appID: "١٢"}`,
		Messages: []string{`spec.zaloOA.appID: Invalid value: "١٢": zaloOA.appID: write the app's id from Zalo's console: decimal digits only, in quotes`},
	},
	{
		Name:     "an empty app id",
		Accepted: `zaloOA: {appID: "1"}`,
		Refused:  `zaloOA: {appID: ""}`,
		Messages: []string{`spec.zaloOA.appID: Invalid value: "": zaloOA.appID: write the app's id from Zalo's console: decimal digits only, in quotes`},
	},
	{
		Name:     "a long app id",
		Accepted: `zaloOA: {appID: "` + strings.Repeat("1", 32) + `"}`,
		Refused:  `zaloOA: {appID: "` + strings.Repeat("1", 33) + `"}`,
		Messages: []string{`spec.zaloOA.appID: Too long: may not be more than 32 bytes`},
	},
	{
		Name:     "no signature",
		Accepted: `zaloOA: {signature: {mode: Audit}}`,
		Refused:  `zaloOA: {signature: null}`,
		Messages: []string{`spec.zaloOA.signature: Required value`},
	},
	{
		Name:     "neither keys nor mode Off",
		Accepted: `zaloOA: {signature: {mode: "Off", secretKeyRefs: null}}`,
		Refused:  `zaloOA: {signature: {secretKeyRefs: null}}`,
		Messages: []string{`spec.zaloOA.signature.secretKeyRefs: Required value: zaloOA.signature.secretKeyRefs: name at least one Secret key that holds the OA secret key, or write mode: "Off" to verify nothing`},
	},
	{
		Name:     "an empty list of keys",
		Accepted: `zaloOA: {signature: {mode: "Off", secretKeyRefs: []}}`,
		Refused:  `zaloOA: {signature: {secretKeyRefs: []}}`,
		Messages: []string{`spec.zaloOA.signature.secretKeyRefs: Required value: zaloOA.signature.secretKeyRefs: name at least one Secret key that holds the OA secret key, or write mode: "Off" to verify nothing`},
	},
	{
		Name:     "mode Audit without keys",
		Accepted: `zaloOA: {signature: {mode: Audit}}`,
		Refused:  `zaloOA: {signature: {mode: Audit, secretKeyRefs: null}}`,
		Messages: []string{`spec.zaloOA.signature.secretKeyRefs: Required value: zaloOA.signature.secretKeyRefs: name at least one Secret key that holds the OA secret key, or write mode: "Off" to verify nothing`},
	},
	{
		Name:     "no key but an OA's",
		Accepted: `zaloOA: {signature: {secretKeyRefs: null}, officialAccounts: [{id: "1"}, {id: "2", secretKeyRefs: [{name: a, key: b}]}]}`,
		Refused:  `zaloOA: {signature: {secretKeyRefs: null}, officialAccounts: [{id: "1"}, {id: "2", secretKeyRefs: []}]}`,
		Messages: []string{`spec.zaloOA.signature.secretKeyRefs: Required value: zaloOA.signature.secretKeyRefs: name at least one Secret key that holds the OA secret key, or write mode: "Off" to verify nothing`},
	},
	{
		Name:     "one key of an OA twice",
		Accepted: `zaloOA: {officialAccounts: [{id: "1", secretKeyRefs: [{name: a, key: b}, {name: a, key: c}]}]}`,
		Refused:  `zaloOA: {officialAccounts: [{id: "1", secretKeyRefs: [{name: a, key: b}, {name: a, key: b}]}]}`,
		Messages: []string{`spec.zaloOA.officialAccounts[0].secretKeyRefs[1]: Duplicate value: {"key":"b","name":"a"}`},
	},
	{
		Name:     "many keys of an OA",
		Accepted: `zaloOA: {officialAccounts: [{id: "1", secretKeyRefs: ` + list(2, "{name: a, key: k%d}") + `}]}`,
		Refused:  `zaloOA: {officialAccounts: [{id: "1", secretKeyRefs: ` + list(3, "{name: a, key: k%d}") + `}]}`,
		Messages: []string{`spec.zaloOA.officialAccounts[0].secretKeyRefs: Too many: 3: must have at most 2 items`},
	},
	{
		Name:     "many OAs with keys",
		Accepted: `zaloOA: {officialAccounts: ` + list(100, `{id: "%d", secretKeyRefs: [{name: a, key: b}]}`) + `}`,
		Refused:  `zaloOA: {officialAccounts: ` + list(101, `{id: "%d", secretKeyRefs: [{name: a, key: b}]}`) + `}`,
		Messages: []string{`spec.zaloOA.officialAccounts: Invalid value: zaloOA.officialAccounts: at most 100 OAs with secretKeyRefs: create another ChannelConnector`},
	},
	{
		Name:     "an unknown mode",
		Accepted: `zaloOA: {signature: {mode: Enforce}}`,
		Refused:  `zaloOA: {signature: {mode: Strict}}`,
		Messages: []string{`spec.zaloOA.signature.mode: Unsupported value: "Strict": supported values: "Enforce", "Audit", "Off"`},
	},
	{
		Name:     "mode Off without quotes",
		Accepted: `zaloOA: {signature: {mode: "Off"}}`,
		Refused:  `zaloOA: {signature: {mode: Off}}`,
		Messages: []string{
			`spec.zaloOA.signature.mode: Invalid value: "boolean": spec.zaloOA.signature.mode in body must be of type string: "boolean"`,
			`spec.zaloOA.signature.mode: Unsupported value: false: supported values: "Enforce", "Audit", "Off"`,
		},
	},
	{
		Name:     "one key twice",
		Accepted: `zaloOA: {signature: {secretKeyRefs: [{name: a, key: b}, {name: a, key: c}]}}`,
		Refused:  `zaloOA: {signature: {secretKeyRefs: [{name: a, key: b}, {name: a, key: b}]}}`,
		Messages: []string{`spec.zaloOA.signature.secretKeyRefs[1]: Duplicate value: {"key":"b","name":"a"}`},
	},
	{
		Name:     "many keys",
		Accepted: `zaloOA: {signature: {secretKeyRefs: ` + list(32, "{name: a, key: k%d}") + `}}`,
		Refused:  `zaloOA: {signature: {secretKeyRefs: ` + list(33, "{name: a, key: k%d}") + `}}`,
		Messages: []string{`spec.zaloOA.signature.secretKeyRefs: Too many: 33: must have at most 32 items`},
	},
	{
		Name:     "a reference without a name",
		Accepted: `zaloOA: {signature: {secretKeyRefs: [{name: a, key: b}]}}`,
		Refused:  `zaloOA: {signature: {secretKeyRefs: [{key: b}]}}`,
		Messages: []string{`spec.zaloOA.signature.secretKeyRefs[0].name: Required value`},
	},
	{
		Name:     "a reference without a key",
		Accepted: `zaloOA: {signature: {secretKeyRefs: [{name: a, key: b}]}}`,
		Refused:  `zaloOA: {signature: {secretKeyRefs: [{name: a}]}}`,
		Messages: []string{`spec.zaloOA.signature.secretKeyRefs[0].key: Required value`},
	},
	{
		Name:     "a name that no Secret can have",
		Accepted: `zaloOA: {signature: {secretKeyRefs: [{name: shop-1.zalo, key: b}]}}`,
		Refused:  `zaloOA: {signature: {secretKeyRefs: [{name: Shop, key: b}]}}`,
		Messages: []string{`spec.zaloOA.signature.secretKeyRefs[0].name: Invalid value: "Shop": name: write the name of a Secret: lower-case letters, digits, - and .`},
	},
	{
		Name:     "an empty name of a Secret",
		Accepted: `zaloOA: {signature: {secretKeyRefs: [{name: a, key: b}]}}`,
		Refused:  `zaloOA: {signature: {secretKeyRefs: [{name: "", key: b}]}}`,
		Messages: []string{`spec.zaloOA.signature.secretKeyRefs[0].name: Invalid value: "": name: write the name of a Secret: lower-case letters, digits, - and .`},
	},
	{
		Name:     "a long name of a Secret",
		Accepted: `zaloOA: {signature: {secretKeyRefs: [{name: ` + strings.Repeat("a", 253) + `, key: b}]}}`,
		Refused:  `zaloOA: {signature: {secretKeyRefs: [{name: ` + strings.Repeat("a", 254) + `, key: b}]}}`,
		Messages: []string{`spec.zaloOA.signature.secretKeyRefs[0].name: Too long: may not be more than 253 bytes`},
	},
	{
		Name:     "a key that no Secret can have",
		Accepted: `zaloOA: {signature: {secretKeyRefs: [{name: a, key: ..OA_secret-key.}]}}`,
		Refused:  `zaloOA: {signature: {secretKeyRefs: [{name: a, key: a/b}]}}`,
		Messages: []string{`spec.zaloOA.signature.secretKeyRefs[0].key: Invalid value: "a/b": key: write a key of the Secret's data: letters, digits, -, _ and .`},
	},
	{
		Name:     "a long key of a Secret",
		Accepted: `zaloOA: {signature: {secretKeyRefs: [{name: a, key: ` + strings.Repeat("k", 253) + `}]}}`,
		Refused:  `zaloOA: {signature: {secretKeyRefs: [{name: a, key: ` + strings.Repeat("k", 254) + `}]}}`,
		Messages: []string{`spec.zaloOA.signature.secretKeyRefs[0].key: Too long: may not be more than 253 bytes`},
	},
	{
		Name:     "one OA twice",
		Accepted: `zaloOA: {officialAccounts: [{id: "1"}, {id: "2"}]}`,
		Refused:  `zaloOA: {officialAccounts: [{id: "1"}, {id: "1"}]}`,
		Messages: []string{`spec.zaloOA.officialAccounts[1]: Duplicate value: {"id":"1"}`},
	},
	{
		Name:     "an OA without an id",
		Accepted: `zaloOA: {officialAccounts: [{id: a1}]}`,
		Refused:  `zaloOA: {officialAccounts: [{displayName: Shop}]}`,
		Messages: []string{`spec.zaloOA.officialAccounts[0].id: Required value`},
	},
	{
		Name:     "an OA with an empty id",
		Accepted: `zaloOA: {officialAccounts: [{id: "0"}]}`,
		Refused:  `zaloOA: {officialAccounts: [{id: ""}]}`,
		Messages: []string{`spec.zaloOA.officialAccounts[0].id: Invalid value: "": spec.zaloOA.officialAccounts[0].id in body should be at least 1 chars long`},
	},
	{
		Name:     "an id of an OA with a line break",
		Accepted: `zaloOA: {officialAccounts: [{id: "a b"}]}`,
		Refused:  `zaloOA: {officialAccounts: [{id: "a\nb"}]}`,
		Messages: []string{`spec.zaloOA.officialAccounts[0].id: Invalid value: "a\nb": zaloOA.officialAccounts.id: holds a line break or another control character: write the id alone`},
	},
	{
		Name:     "a display name of two lines",
		Accepted: `zaloOA: {officialAccounts: [{id: a, displayName: "Cửa hàng 🛍️"}]}`,
		Refused:  `zaloOA: {officialAccounts: [{id: a, displayName: "a\tb"}]}`,
		Messages: []string{`spec.zaloOA.officialAccounts[0].displayName: Invalid value: "a\tb": zaloOA.officialAccounts.displayName: holds a line break or another control character: write one line`},
	},
	{
		Name:     "a long id of an OA",
		Accepted: `zaloOA: {officialAccounts: [{id: "` + strings.Repeat("1", 64) + `"}]}`,
		Refused:  `zaloOA: {officialAccounts: [{id: "` + strings.Repeat("1", 65) + `"}]}`,
		Messages: []string{`spec.zaloOA.officialAccounts[0].id: Too long: may not be more than 64 bytes`},
	},
	{
		Name:     "a long display name",
		Accepted: `zaloOA: {officialAccounts: [{id: a, displayName: "` + strings.Repeat("ộ", 64) + `"}]}`,
		Refused:  `zaloOA: {officialAccounts: [{id: a, displayName: "` + strings.Repeat("ộ", 65) + `"}]}`,
		Messages: []string{`spec.zaloOA.officialAccounts[0].displayName: Too long: may not be more than 64 bytes`},
	},
	{
		Name:     "very many OAs",
		Accepted: `zaloOA: {officialAccounts: ` + list(1000, `{id: "%d"}`) + `}`,
		Refused:  `zaloOA: {officialAccounts: ` + list(1001, `{id: "%d"}`) + `}`,
		Messages: []string{`spec.zaloOA.officialAccounts: Too many: 1001: must have at most 1000 items`},
	},
	{
		Name:     "no verification code",
		Accepted: `zaloOA: {domainVerification: {codes: [a]}}`,
		Refused:  `zaloOA: {domainVerification: {}}`,
		Messages: []string{`spec.zaloOA.domainVerification.codes: Required value`},
	},
	{
		Name:     "an empty list of verification codes",
		Accepted: `zaloOA: {domainVerification: {codes: [a]}}`,
		Refused:  `zaloOA: {domainVerification: {codes: []}}`,
		Messages: []string{`spec.zaloOA.domainVerification.codes: Invalid value: 0: spec.zaloOA.domainVerification.codes in body should have at least 1 items`},
	},
	{
		Name:     "a verification code with the name of its file",
		Accepted: `zaloOA: {domainVerification: {codes: [AbC-d_1]}}`,
		Refused:  `zaloOA: {domainVerification: {codes: [zalo_verifierAbC.html]}}`,
		Messages: []string{`spec.zaloOA.domainVerification.codes[0]: Invalid value: "zalo_verifierAbC.html": zaloOA.domainVerification.codes: write the code alone, as in zalo_verifier<code>.html: letters, digits, - and _`},
	},
	{
		Name:     "a verification code twice",
		Accepted: `zaloOA: {domainVerification: {codes: [a, A]}}`,
		Refused:  `zaloOA: {domainVerification: {codes: [a, a]}}`,
		Messages: []string{`spec.zaloOA.domainVerification.codes[1]: Duplicate value: "a"`},
	},
	{
		Name:     "many verification codes",
		Accepted: `zaloOA: {domainVerification: {codes: ` + list(16, "c%d") + `}}`,
		Refused:  `zaloOA: {domainVerification: {codes: ` + list(17, "c%d") + `}}`,
		Messages: []string{`spec.zaloOA.domainVerification.codes: Too many: 17: must have at most 16 items`},
	},
	{
		Name:     "a long verification code",
		Accepted: `zaloOA: {domainVerification: {codes: [` + strings.Repeat("c", 128) + `]}}`,
		Refused:  `zaloOA: {domainVerification: {codes: [` + strings.Repeat("c", 129) + `]}}`,
		Messages: []string{`spec.zaloOA.domainVerification.codes[0]: Too long: may not be more than 128 bytes`},
	},
}
