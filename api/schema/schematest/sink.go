package schematest

import "strings"

// sinkRules are those of spec.sink.
var sinkRules = []Rule{
	{
		Name:     "no URL",
		Accepted: `sink: {http: {url: "http://bot"}}`,
		Refused:  `sink: {http: {url: null}}`,
		Messages: []string{`spec.sink.http.url: Required value: sink.http.url: write exactly one of url and urlSecretKeyRef`},
	},
	{
		Name:     "a URL and a Secret with one",
		Accepted: `sink: {http: {url: null, urlSecretKeyRef: {name: bot, key: url}}}`,
		Refused:  `sink: {http: {url: "http://bot", urlSecretKeyRef: {name: bot, key: url}}}`,
		Messages: []string{`spec.sink.http.url: Required value: sink.http.url: write exactly one of url and urlSecretKeyRef`},
	},
	{
		Name:     "a URL's Secret without a key",
		Accepted: `sink: {http: {url: null, urlSecretKeyRef: {name: bot, key: url}, tls: {caSecretKeyRef: {name: a, key: b}}}}`,
		Refused:  `sink: {http: {url: null, urlSecretKeyRef: {name: bot}}}`,
		Messages: []string{`spec.sink.http.urlSecretKeyRef.key: Required value`},
	},
	{
		Name:     "a proxy without a scheme",
		Accepted: `sink: {http: {proxy: none}}`,
		Refused:  `sink: {http: {proxy: "proxy:3128"}}`,
		Messages: []string{`spec.sink.http.proxy: Invalid value: sink.http.proxy: write none, or the URL of a proxy without credentials, for example http://proxy.example:3128`},
	},
	{
		Name:     "a proxy with credentials",
		Accepted: `sink: {http: {proxy: "http://proxy.example:3128/"}}`,
		Refused:  `sink: {http: {proxy: "http://user:password@proxy.example:3128"}}`,
		Messages: []string{`spec.sink.http.proxy: Invalid value: sink.http.proxy: write none, or the URL of a proxy without credentials, for example http://proxy.example:3128`},
	},
	{
		Name:     "a proxy of another scheme",
		Accepted: `sink: {http: {proxy: "socks5h://[fd00::1]:1080"}}`,
		Refused:  `sink: {http: {proxy: "ftp://proxy.example"}}`,
		Messages: []string{`spec.sink.http.proxy: Invalid value: sink.http.proxy: write none, or the URL of a proxy without credentials, for example http://proxy.example:3128`},
	},
	{
		Name:     "a proxy with a large port",
		Accepted: `sink: {http: {proxy: "http://proxy.example:65535"}}`,
		Refused:  `sink: {http: {proxy: "http://proxy.example:70000"}}`,
		Messages: []string{`spec.sink.http.proxy: Invalid value: sink.http.proxy: write a port from 1 to 65535`},
	},
	{
		Name:     "a proxy with port 0",
		Accepted: `sink: {http: {proxy: "socks5://[fd00::1]:09999"}}`,
		Refused:  `sink: {http: {proxy: "socks5://[fd00::1]:00000"}}`,
		Messages: []string{`spec.sink.http.proxy: Invalid value: sink.http.proxy: write a port from 1 to 65535`},
	},
	{
		Name:     "a long proxy",
		Accepted: `sink: {http: {proxy: "http://` + strings.Repeat("p", 2041) + `"}}`,
		Refused:  `sink: {http: {proxy: "http://` + strings.Repeat("p", 2042) + `"}}`,
		Messages: []string{`spec.sink.http.proxy: Too long: may not be more than 2048 bytes`},
	},
	{
		Name:     "unknown local addresses",
		Accepted: `sink: {http: {localAddresses: Allow}}`,
		Refused:  `sink: {http: {localAddresses: Some}}`,
		Messages: []string{`spec.sink.http.localAddresses: Unsupported value: "Some": supported values: "Refuse", "Allow"`},
	},
	{
		Name:     "an empty URL",
		Accepted: `sink: {http: {url: "http://bot"}}`,
		Refused:  `sink: {http: {url: ""}}`,
		Messages: []string{`spec.sink.http.url: Invalid value: sink.http.url: write an absolute http or https URL, for example http://bot.chat.svc/events`},
	},
	{
		Name:     "a relative URL",
		Accepted: `sink: {http: {url: "HTTPS://bot.example:8443/events?a=b@c"}}`,
		Refused:  `sink: {http: {url: /events}}`,
		Messages: []string{`spec.sink.http.url: Invalid value: sink.http.url: write an absolute http or https URL, for example http://bot.chat.svc/events`},
	},
	{
		Name:     "a URL without a scheme",
		Accepted: `sink: {http: {url: "http://bot.chat.svc"}}`,
		Refused:  `sink: {http: {url: bot.chat.svc/events}}`,
		Messages: []string{`spec.sink.http.url: Invalid value: sink.http.url: write an absolute http or https URL, for example http://bot.chat.svc/events`},
	},
	{
		Name:     "a URL with another scheme",
		Accepted: `sink: {http: {url: "https://bot"}}`,
		Refused:  `sink: {http: {url: "ftp://bot/events"}}`,
		Messages: []string{`spec.sink.http.url: Invalid value: sink.http.url: write an absolute http or https URL, for example http://bot.chat.svc/events`},
	},
	{
		Name:     "a URL without a host",
		Accepted: `sink: {http: {url: "http://[::1]:8080/"}}`,
		Refused:  `sink: {http: {url: "http://:8080/events"}}`,
		Messages: []string{`spec.sink.http.url: Invalid value: sink.http.url: write an absolute http or https URL, for example http://bot.chat.svc/events`},
	},
	{
		Name:     "a URL with a space",
		Accepted: `sink: {http: {url: "http://bot/a%20b"}}`,
		Refused:  `sink: {http: {url: "http://bot bot/"}}`,
		Messages: []string{`spec.sink.http.url: Invalid value: sink.http.url: write an absolute http or https URL, for example http://bot.chat.svc/events`},
	},
	{
		Name:     "a URL with a bad port",
		Accepted: `sink: {http: {url: "http://bot:80/"}}`,
		Refused:  `sink: {http: {url: "http://bot:http/"}}`,
		Messages: []string{`spec.sink.http.url: Invalid value: sink.http.url: write an absolute http or https URL, for example http://bot.chat.svc/events`},
	},
	{
		Name:     "a URL with a large port",
		Accepted: `sink: {http: {url: "http://bot:65535/"}}`,
		Refused:  `sink: {http: {url: "http://bot:65536/"}}`,
		Messages: []string{`spec.sink.http.url: Invalid value: sink.http.url: write a port from 1 to 65535`},
	},
	{
		Name:     "a URL with port 0",
		Accepted: `sink: {http: {url: "http://[fd00::1]:1?a=:0"}}`,
		Refused:  `sink: {http: {url: "http://[fd00::1]:0?a=:1"}}`,
		Messages: []string{`spec.sink.http.url: Invalid value: sink.http.url: write a port from 1 to 65535`},
	},
	{
		Name:     "a URL with a number for a port",
		Accepted: `sink: {http: {url: "http://bot:"}}`,
		Refused:  `sink: {http: {url: "http://bot:18446744073709551617"}}`,
		Messages: []string{`spec.sink.http.url: Invalid value: sink.http.url: write a port from 1 to 65535`},
	},
	{
		Name:     "a URL with a bad escape",
		Accepted: `sink: {http: {url: "http://bot/%2F"}}`,
		Refused:  `sink: {http: {url: "http://bot/%zz"}}`,
		Messages: []string{`spec.sink.http.url: Invalid value: sink.http.url: write an absolute http or https URL, for example http://bot.chat.svc/events`},
	},
	{
		Name:     "a URL with credentials",
		Accepted: `sink: {http: {url: "http://bot/user:password@"}}`,
		Refused:  `sink: {http: {url: "http://user:password@bot/"}}`,
		Messages: []string{`spec.sink.http.url: Invalid value: sink.http.url: must hold no credentials: put them into a Secret and name it in sink.http.headers`},
	},
	{
		Name:     "a URL with a user",
		Accepted: `sink: {http: {url: "http://bot?user@host"}}`,
		Refused:  `sink: {http: {url: "http://user@bot"}}`,
		Messages: []string{`spec.sink.http.url: Invalid value: sink.http.url: must hold no credentials: put them into a Secret and name it in sink.http.headers`},
	},
	{
		Name:     "a URL with a fragment",
		Accepted: `sink: {http: {url: "http://bot/%23"}}`,
		Refused:  `sink: {http: {url: "http://bot/#events"}}`,
		Messages: []string{`spec.sink.http.url: Invalid value: sink.http.url: must hold no fragment: remove # and what follows`},
	},
	{
		Name:     "a long URL",
		Accepted: `sink: {http: {url: "http://bot/` + strings.Repeat("u", 2037) + `"}}`,
		Refused:  `sink: {http: {url: "http://bot/` + strings.Repeat("u", 2038) + `"}}`,
		Messages: []string{`spec.sink.http.url: Too long: may not be more than 2048 bytes`},
	},
	{
		Name:     "a short time-out",
		Accepted: `sink: {http: {timeout: 100ms}}`,
		Refused:  `sink: {http: {timeout: 99ms}}`,
		Messages: []string{`spec.sink.http.timeout: Invalid value: "99ms": sink.http.timeout: write a duration from 100ms to 5m, for example 10s`},
	},
	{
		Name:     "a long time-out",
		Accepted: `sink: {http: {timeout: 5m}}`,
		Refused:  `sink: {http: {timeout: 301s}}`,
		Messages: []string{`spec.sink.http.timeout: Invalid value: "301s": sink.http.timeout: write a duration from 100ms to 5m, for example 10s`},
	},
	{
		Name:     "a negative time-out",
		Accepted: `sink: {http: {timeout: 1.5s}}`,
		Refused:  `sink: {http: {timeout: -10s}}`,
		Messages: []string{`spec.sink.http.timeout: Invalid value: "-10s": sink.http.timeout: write a duration from 100ms to 5m, for example 10s`},
	},
	{
		Name:     "an absurd time-out",
		Accepted: `sink: {http: {timeout: 4m59s999ms}}`,
		Refused:  `sink: {http: {timeout: 99999h99999h99999h}}`,
		Messages: []string{`spec.sink.http.timeout: Invalid value: "99999h99999h99999h": sink.http.timeout: write a duration from 100ms to 5m, for example 10s`},
	},
	{
		Name:     "a time-out of a long text",
		Accepted: `sink: {http: {timeout: 1m30s}}`,
		Refused:  `sink: {http: {timeout: ` + strings.Repeat("1s", 17) + `}}`,
		Messages: []string{`spec.sink.http.timeout: Too long: may not be more than 32 bytes`},
	},
	{
		Name:     "TLS for a plain URL",
		Accepted: `sink: {http: {url: "https://bot", tls: {caSecretKeyRef: {name: a, key: b}}}}`,
		Refused:  `sink: {http: {tls: {caSecretKeyRef: {name: a, key: b}}}}`,
		Messages: []string{`spec.sink.http.tls: Invalid value: sink.http.tls: needs an https URL in sink.http.url`},
	},
	{
		Name:     "empty TLS",
		Accepted: `sink: {http: {url: "https://bot", tls: {clientCertificateSecretRef: {name: a}}}}`,
		Refused:  `sink: {http: {url: "https://bot", tls: {}}}`,
		Messages: []string{`spec.sink.http.tls: Invalid value: sink.http.tls: is empty: write caSecretKeyRef, clientCertificateSecretRef or both, or leave tls out`},
	},
	{
		Name:     "a client certificate without a name",
		Accepted: `sink: {http: {url: "https://bot", tls: {clientCertificateSecretRef: {name: a}}}}`,
		Refused:  `sink: {http: {url: "https://bot", tls: {clientCertificateSecretRef: {}}}}`,
		Messages: []string{`spec.sink.http.tls.clientCertificateSecretRef.name: Required value`},
	},
	{
		Name:     "a client certificate in a Secret that cannot be",
		Accepted: `sink: {http: {url: "https://bot", tls: {clientCertificateSecretRef: {name: a.b}}}}`,
		Refused:  `sink: {http: {url: "https://bot", tls: {clientCertificateSecretRef: {name: a_b}}}}`,
		Messages: []string{`spec.sink.http.tls.clientCertificateSecretRef.name: Invalid value: "a_b": name: write the name of a Secret: lower-case letters, digits, - and .`},
	},
	{
		Name:     "a long name of a client certificate's Secret",
		Accepted: `sink: {http: {url: "https://bot", tls: {clientCertificateSecretRef: {name: ` + strings.Repeat("a", 253) + `}}}}`,
		Refused:  `sink: {http: {url: "https://bot", tls: {clientCertificateSecretRef: {name: ` + strings.Repeat("a", 254) + `}}}}`,
		Messages: []string{`spec.sink.http.tls.clientCertificateSecretRef.name: Too long: may not be more than 253 bytes`},
	},
	{
		Name:     "a signing secret without a key",
		Accepted: `sink: {http: {signingSecretKeyRef: {name: a, key: b}}}`,
		Refused:  `sink: {http: {signingSecretKeyRef: {name: a}}}`,
		Messages: []string{`spec.sink.http.signingSecretKeyRef.key: Required value`},
	},
}

// headerRules are those of spec.sink.http.headers.
var headerRules = []Rule{
	{
		Name:     "a header without a name",
		Accepted: `sink: {http: {headers: [{name: a, secretKeyRef: {name: a, key: b}}]}}`,
		Refused:  `sink: {http: {headers: [{secretKeyRef: {name: a, key: b}}]}}`,
		Messages: []string{`spec.sink.http.headers[0].name: Required value`},
	},
	{
		Name:     "a header without a Secret",
		Accepted: `sink: {http: {headers: [{name: a, secretKeyRef: {name: a, key: b}}]}}`,
		Refused:  `sink: {http: {headers: [{name: a}]}}`,
		Messages: []string{`spec.sink.http.headers[0].secretKeyRef: Required value`},
	},
	{
		Name:     "an empty name of a header",
		Accepted: `sink: {http: {headers: [{name: a, secretKeyRef: {name: a, key: b}}]}}`,
		Refused:  `sink: {http: {headers: [{name: "", secretKeyRef: {name: a, key: b}}]}}`,
		Messages: []string{`spec.sink.http.headers[0].name: Invalid value: "": sink.http.headers: write the name of a header, for example Authorization, without its value`},
	},
	{
		Name:     "a header with its value",
		Accepted: `sink: {http: {headers: [{name: "!#$%&*+.^_|~X-1", secretKeyRef: {name: a, key: b}}]}}`,
		Refused:  `sink: {http: {headers: [{name: "Authorization: Bearer", secretKeyRef: {name: a, key: b}}]}}`,
		Messages: []string{`spec.sink.http.headers[0].name: Invalid value: "Authorization: Bearer": sink.http.headers: write the name of a header, for example Authorization, without its value`},
	},
	{
		Name:     "a header that the connector sets",
		Accepted: `sink: {http: {headers: [{name: Content-Language, secretKeyRef: {name: a, key: b}}]}}`,
		Refused:  `sink: {http: {headers: [{name: content-TYPE, secretKeyRef: {name: a, key: b}}]}}`,
		Messages: []string{`spec.sink.http.headers[0].name: Invalid value: "content-TYPE": sink.http.headers: the connector sets this header itself: choose another name`},
	},
	{
		Name:     "an attribute of CloudEvents",
		Accepted: `sink: {http: {headers: [{name: Cee, secretKeyRef: {name: a, key: b}}]}}`,
		Refused:  `sink: {http: {headers: [{name: CE-Id, secretKeyRef: {name: a, key: b}}]}}`,
		Messages: []string{`spec.sink.http.headers[0].name: Invalid value: "CE-Id": sink.http.headers: the connector sets this header itself: choose another name`},
	},
	{
		Name:     "a header of Standard Webhooks",
		Accepted: `sink: {http: {headers: [{name: X-Webhook-Id, secretKeyRef: {name: a, key: b}}]}}`,
		Refused:  `sink: {http: {headers: [{name: webhook-id, secretKeyRef: {name: a, key: b}}]}}`,
		Messages: []string{`spec.sink.http.headers[0].name: Invalid value: "webhook-id": sink.http.headers: the connector sets this header itself: choose another name`},
	},
	{
		Name:     "one header twice",
		Accepted: `sink: {http: {headers: [{name: a, secretKeyRef: {name: a, key: b}}, {name: b, secretKeyRef: {name: a, key: b}}]}}`,
		Refused:  `sink: {http: {headers: [{name: a, secretKeyRef: {name: a, key: b}}, {name: a, secretKeyRef: {name: a, key: b}}]}}`,
		Messages: []string{
			`spec.sink.http.headers: Invalid value: sink.http.headers: names of headers do not depend on case: write each once`,
			`spec.sink.http.headers[1]: Duplicate value: {"name":"a"}`,
		},
	},
	{
		Name:     "one header in two cases",
		Accepted: `sink: {http: {headers: [{name: X-A, secretKeyRef: {name: a, key: b}}, {name: x-b, secretKeyRef: {name: a, key: b}}]}}`,
		Refused:  `sink: {http: {headers: [{name: X-A, secretKeyRef: {name: a, key: b}}, {name: x-a, secretKeyRef: {name: a, key: b}}]}}`,
		Messages: []string{`spec.sink.http.headers: Invalid value: sink.http.headers: names of headers do not depend on case: write each once`},
	},
	{
		Name:     "many headers",
		Accepted: `sink: {http: {headers: ` + list(16, "{name: h%d, secretKeyRef: {name: a, key: b}}") + `}}`,
		Refused:  `sink: {http: {headers: ` + list(17, "{name: h%d, secretKeyRef: {name: a, key: b}}") + `}}`,
		Messages: []string{`spec.sink.http.headers: Too many: 17: must have at most 16 items`},
	},
	{
		Name:     "a long name of a header",
		Accepted: `sink: {http: {headers: [{name: ` + strings.Repeat("h", 256) + `, secretKeyRef: {name: a, key: b}}]}}`,
		Refused:  `sink: {http: {headers: [{name: ` + strings.Repeat("h", 257) + `, secretKeyRef: {name: a, key: b}}]}}`,
		Messages: []string{`spec.sink.http.headers[0].name: Too long: may not be more than 256 bytes`},
	},
}
