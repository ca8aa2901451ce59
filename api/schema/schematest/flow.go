package schematest

import "strings"

// webhookRules are those of spec.webhook.
var webhookRules = []Rule{
	{
		Name:     "a path without a slash",
		Accepted: `webhook: {path: /zalo}`,
		Refused:  `webhook: {path: zalo}`,
		Messages: []string{`spec.webhook.path: Invalid value: "zalo": webhook.path: must start with /: write for example /webhook/xpbot/api/zalo/push`},
	},
	{
		Name:     "an empty path",
		Accepted: `webhook: {path: /z}`,
		Refused:  `webhook: {path: ""}`,
		Messages: []string{`spec.webhook.path: Invalid value: "": webhook.path: must start with /: write for example /webhook/xpbot/api/zalo/push`},
	},
	{
		Name:     "the root as a path",
		Accepted: `webhook: {path: /-/}`,
		Refused:  `webhook: {path: /}`,
		Messages: []string{`spec.webhook.path: Invalid value: "/": webhook.path: write a plain URL path such as /webhook/xpbot/api/zalo/push, without a query, escapes, // or dot segments`},
	},
	{
		Name:     "a path with a query",
		Accepted: `webhook: {path: "/a~b!$&'()*+,;=:@/._-"}`,
		Refused:  `webhook: {path: "/a?b=c"}`,
		Messages: []string{`spec.webhook.path: Invalid value: "/a?b=c": webhook.path: write a plain URL path such as /webhook/xpbot/api/zalo/push, without a query, escapes, // or dot segments`},
	},
	{
		Name:     "a path with an escape",
		Accepted: `webhook: {path: /a+b}`,
		Refused:  `webhook: {path: /a%20b}`,
		Messages: []string{`spec.webhook.path: Invalid value: "/a%20b": webhook.path: write a plain URL path such as /webhook/xpbot/api/zalo/push, without a query, escapes, // or dot segments`},
	},
	{
		Name:     "a path in two spellings",
		Accepted: `webhook: {path: /a/b/}`,
		Refused:  `webhook: {path: /a//b}`,
		Messages: []string{`spec.webhook.path: Invalid value: "/a//b": webhook.path: write a plain URL path such as /webhook/xpbot/api/zalo/push, without a query, escapes, // or dot segments`},
	},
	{
		Name:     "a path with a dot segment",
		Accepted: `webhook: {path: /a/.b/..c/...}`,
		Refused:  `webhook: {path: /a/../b}`,
		Messages: []string{`spec.webhook.path: Invalid value: "/a/../b": webhook.path: write a plain URL path such as /webhook/xpbot/api/zalo/push, without a query, escapes, // or dot segments`},
	},
	{
		Name:     "a path that ends in a dot segment",
		Accepted: `webhook: {path: /a/b.}`,
		Refused:  `webhook: {path: /a/.}`,
		Messages: []string{`spec.webhook.path: Invalid value: "/a/.": webhook.path: write a plain URL path such as /webhook/xpbot/api/zalo/push, without a query, escapes, // or dot segments`},
	},
	{
		Name:     "a path of domain verification",
		Accepted: `webhook: {path: /zalo/verifier}`,
		Refused:  `webhook: {path: /zalo_verifierAbC.html}`,
		Messages: []string{`spec.webhook.path: Invalid value: "/zalo_verifierAbC.html": webhook.path: /zalo_verifier… belongs to domain verification: write another path`},
	},
	{
		Name:     "a long path",
		Accepted: `webhook: {path: /` + strings.Repeat("p", 255) + `}`,
		Refused:  `webhook: {path: /` + strings.Repeat("p", 256) + `}`,
		Messages: []string{`spec.webhook.path: Too long: may not be more than 256 bytes`},
	},
	{
		Name:     "two API keys of one name",
		Accepted: `webhook: {apiKeys: [{name: a, secretKeyRef: {name: a, key: b}}, {name: b, secretKeyRef: {name: a, key: b}}]}`,
		Refused:  `webhook: {apiKeys: [{name: a, secretKeyRef: {name: a, key: b}}, {name: a, secretKeyRef: {name: a, key: c}}]}`,
		Messages: []string{`spec.webhook.apiKeys[1]: Duplicate value: {"name":"a"}`},
	},
	{
		Name:     "an API key without a name",
		Accepted: `webhook: {apiKeys: [{name: "2026-11", secretKeyRef: {name: a, key: b}}]}`,
		Refused:  `webhook: {apiKeys: [{secretKeyRef: {name: a, key: b}}]}`,
		Messages: []string{`spec.webhook.apiKeys[0].name: Required value`},
	},
	{
		Name:     "an API key without a Secret",
		Accepted: `webhook: {apiKeys: [{name: a, secretKeyRef: {name: a, key: b}}]}`,
		Refused:  `webhook: {apiKeys: [{name: a}]}`,
		Messages: []string{`spec.webhook.apiKeys[0].secretKeyRef: Required value`},
	},
	{
		Name:     "an empty name of an API key",
		Accepted: `webhook: {apiKeys: [{name: a, secretKeyRef: {name: a, key: b}}]}`,
		Refused:  `webhook: {apiKeys: [{name: "", secretKeyRef: {name: a, key: b}}]}`,
		Messages: []string{`spec.webhook.apiKeys[0].name: Invalid value: "": spec.webhook.apiKeys[0].name in body should be at least 1 chars long`},
	},
	{
		Name:     "a name of an API key with a line break",
		Accepted: `webhook: {apiKeys: [{name: a b, secretKeyRef: {name: a, key: b}}]}`,
		Refused:  `webhook: {apiKeys: [{name: "a\n", secretKeyRef: {name: a, key: b}}]}`,
		Messages: []string{`spec.webhook.apiKeys[0].name: Invalid value: "a\n": webhook.apiKeys.name: holds a line break or another control character: write for example 2026-11`},
	},
	{
		Name:     "a long name of an API key",
		Accepted: `webhook: {apiKeys: [{name: ` + strings.Repeat("n", 63) + `, secretKeyRef: {name: a, key: b}}]}`,
		Refused:  `webhook: {apiKeys: [{name: ` + strings.Repeat("n", 64) + `, secretKeyRef: {name: a, key: b}}]}`,
		Messages: []string{`spec.webhook.apiKeys[0].name: Too long: may not be more than 63 bytes`},
	},
	{
		Name:     "many API keys",
		Accepted: `webhook: {apiKeys: ` + list(8, "{name: n%d, secretKeyRef: {name: a, key: b}}") + `}`,
		Refused:  `webhook: {apiKeys: ` + list(9, "{name: n%d, secretKeyRef: {name: a, key: b}}") + `}`,
		Messages: []string{`spec.webhook.apiKeys: Too many: 9: must have at most 8 items`},
	},
	{
		Name:     "a body size of nothing",
		Accepted: `webhook: {maxBodySize: 1}`,
		Refused:  `webhook: {maxBodySize: 0}`,
		Messages: []string{`spec.webhook.maxBodySize: Invalid value: 0: webhook.maxBodySize: write a size from 1 to 64Mi, for example 1Mi`},
	},
	{
		Name:     "a negative body size",
		Accepted: `webhook: {maxBodySize: 64Mi}`,
		Refused:  `webhook: {maxBodySize: -1Mi}`,
		Messages: []string{`spec.webhook.maxBodySize: Invalid value: "-1Mi": webhook.maxBodySize: write a size from 1 to 64Mi, for example 1Mi`},
	},
	{
		Name:     "a body size that is too large",
		Accepted: `webhook: {maxBodySize: "67108864"}`,
		Refused:  `webhook: {maxBodySize: 64.1Mi}`,
		Messages: []string{`spec.webhook.maxBodySize: Invalid value: "64.1Mi": webhook.maxBodySize: write a size from 1 to 64Mi, for example 1Mi`},
	},
	{
		Name:     "a body size that is no size",
		Accepted: `webhook: {maxBodySize: 512k}`,
		Refused:  `webhook: {maxBodySize: 1 MB}`,
		Messages: []string{
			`spec.webhook.maxBodySize: Invalid value: "1 MB": spec.webhook.maxBodySize in body should match '^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$'`,
			`spec.webhook.maxBodySize: Invalid value: "1 MB": webhook.maxBodySize: write a size from 1 to 64Mi, for example 1Mi`,
		},
	},
	{
		Name:     "an empty list of events",
		Accepted: `webhook: {events: {include: [follow]}}`,
		Refused:  `webhook: {events: {include: []}}`,
		Messages: []string{`spec.webhook.events.include: Invalid value: 0: spec.webhook.events.include in body should have at least 1 items`},
	},
	{
		Name:     "an event to include that is no pattern",
		Accepted: `webhook: {events: {include: ["user_*", a.b-c]}}`,
		Refused:  `webhook: {events: {include: ["user_?"]}}`,
		Messages: []string{`spec.webhook.events.include[0]: Invalid value: "user_?": webhook.events.include: write a pattern of event names, for example user_send_*`},
	},
	{
		Name:     "an event to exclude that is no pattern",
		Accepted: `webhook: {events: {exclude: ["oa_send_*"]}}`,
		Refused:  `webhook: {events: {exclude: [oa send]}}`,
		Messages: []string{`spec.webhook.events.exclude[0]: Invalid value: "oa send": webhook.events.exclude: write a pattern of event names, for example oa_send_*`},
	},
	{
		Name:     "an event to include twice",
		Accepted: `webhook: {events: {include: [a, b]}}`,
		Refused:  `webhook: {events: {include: [a, a]}}`,
		Messages: []string{`spec.webhook.events.include[1]: Duplicate value: "a"`},
	},
	{
		Name:     "an event to exclude twice",
		Accepted: `webhook: {events: {exclude: []}}`,
		Refused:  `webhook: {events: {exclude: [a, a]}}`,
		Messages: []string{`spec.webhook.events.exclude[1]: Duplicate value: "a"`},
	},
	{
		Name:     "many events to include",
		Accepted: `webhook: {events: {include: ` + list(64, "e%d") + `}}`,
		Refused:  `webhook: {events: {include: ` + list(65, "e%d") + `}}`,
		Messages: []string{`spec.webhook.events.include: Too many: 65: must have at most 64 items`},
	},
	{
		Name:     "many events to exclude",
		Accepted: `webhook: {events: {exclude: ` + list(64, "e%d") + `}}`,
		Refused:  `webhook: {events: {exclude: ` + list(65, "e%d") + `}}`,
		Messages: []string{`spec.webhook.events.exclude: Too many: 65: must have at most 64 items`},
	},
	{
		Name:     "a long event to include",
		Accepted: `webhook: {events: {include: [` + strings.Repeat("e", 128) + `]}}`,
		Refused:  `webhook: {events: {include: [` + strings.Repeat("e", 129) + `]}}`,
		Messages: []string{`spec.webhook.events.include[0]: Too long: may not be more than 128 bytes`},
	},
	{
		Name:     "a long event to exclude",
		Accepted: `webhook: {events: {exclude: [` + strings.Repeat("e", 128) + `]}}`,
		Refused:  `webhook: {events: {exclude: [` + strings.Repeat("e", 129) + `]}}`,
		Messages: []string{`spec.webhook.events.exclude[0]: Too long: may not be more than 128 bytes`},
	},
}

// inboxRules are those of spec.inbox.
var inboxRules = []Rule{
	{
		Name:     "a short window",
		Accepted: `inbox: {deduplicationWindow: 2h0m0s}`,
		Refused:  `inbox: {deduplicationWindow: 119m59.999s}`,
		Messages: []string{`spec.inbox.deduplicationWindow: Invalid value: "119m59.999s": inbox.deduplicationWindow: write a duration from 2h to 720h, for example 24h`},
	},
	{
		Name:     "a long window",
		Accepted: `inbox: {deduplicationWindow: 720h}`,
		Refused:  `inbox: {deduplicationWindow: 720h1s}`,
		Messages: []string{`spec.inbox.deduplicationWindow: Invalid value: "720h1s": inbox.deduplicationWindow: write a duration from 2h to 720h, for example 24h`},
	},
	{
		Name:     "a negative window",
		Accepted: `inbox: {deduplicationWindow: 3h}`,
		Refused:  `inbox: {deduplicationWindow: -24h}`,
		Messages: []string{`spec.inbox.deduplicationWindow: Invalid value: "-24h": inbox.deduplicationWindow: write a duration from 2h to 720h, for example 24h`},
	},
	{
		Name:     "an absurd window",
		Accepted: `inbox: {deduplicationWindow: 99h}`,
		Refused:  `inbox: {deduplicationWindow: 9999999999999999h}`,
		Messages: []string{`spec.inbox.deduplicationWindow: Invalid value: "9999999999999999h": inbox.deduplicationWindow: write a duration from 2h to 720h, for example 24h`},
	},
	{
		Name:     "a window in days",
		Accepted: `inbox: {deduplicationWindow: 48h}`,
		Refused:  `inbox: {deduplicationWindow: 2d}`,
		Messages: []string{`spec.inbox.deduplicationWindow: Invalid value: "2d": inbox.deduplicationWindow: write a duration from 2h to 720h, for example 24h`},
	},
	{
		Name:     "a window without a unit",
		Accepted: `inbox: {deduplicationWindow: 7200s}`,
		Refused:  `inbox: {deduplicationWindow: "7200"}`,
		Messages: []string{`spec.inbox.deduplicationWindow: Invalid value: "7200": inbox.deduplicationWindow: write a duration from 2h to 720h, for example 24h`},
	},
	{
		Name:     "a window that is a number",
		Accepted: `inbox: {deduplicationWindow: 7200s}`,
		Refused:  `inbox: {deduplicationWindow: 7200}`,
		Messages: []string{`spec.inbox.deduplicationWindow: Invalid value: "integer": spec.inbox.deduplicationWindow in body must be of type string: "integer"`},
	},
	{
		Name:     "an empty window",
		Accepted: `inbox: {deduplicationWindow: 2.5h}`,
		Refused:  `inbox: {deduplicationWindow: ""}`,
		Messages: []string{`spec.inbox.deduplicationWindow: Invalid value: "": inbox.deduplicationWindow: write a duration from 2h to 720h, for example 24h`},
	},
	{
		Name:     "a window that is a long text",
		Accepted: `inbox: {deduplicationWindow: 24h0m0.000000000s}`,
		Refused:  `inbox: {deduplicationWindow: ` + strings.Repeat("1h", 17) + `}`,
		Messages: []string{`spec.inbox.deduplicationWindow: Too long: may not be more than 32 bytes`},
	},
	{
		Name:     "an unknown storage",
		Accepted: `inbox: {embedded: {storage: Ephemeral}}`,
		Refused:  `inbox: {embedded: {storage: Memory}}`,
		Messages: []string{`spec.inbox.embedded.storage: Unsupported value: "Memory": supported values: "Persistent", "Ephemeral"`},
	},
	{
		Name:     "a small inbox",
		Accepted: `inbox: {embedded: {size: 64Mi}}`,
		Refused:  `inbox: {embedded: {size: 63Mi}}`,
		Messages: []string{`spec.inbox.embedded.size: Invalid value: "63Mi": inbox.embedded.size: write a size from 64Mi to 16Ti, for example 1Gi`},
	},
	{
		Name:     "a huge inbox",
		Accepted: `inbox: {embedded: {size: 16Ti}}`,
		Refused:  `inbox: {embedded: {size: 17Ti}}`,
		Messages: []string{`spec.inbox.embedded.size: Invalid value: "17Ti": inbox.embedded.size: write a size from 64Mi to 16Ti, for example 1Gi`},
	},
	{
		Name:     "a negative inbox",
		Accepted: `inbox: {embedded: {size: 67108864}}`,
		Refused:  `inbox: {embedded: {size: -67108864}}`,
		Messages: []string{`spec.inbox.embedded.size: Invalid value: -67108864: inbox.embedded.size: write a size from 64Mi to 16Ti, for example 1Gi`},
	},
	{
		Name:     "an inbox of thousandths of bytes",
		Accepted: `inbox: {embedded: {size: 1G}}`,
		Refused:  `inbox: {embedded: {size: 100000m}}`,
		Messages: []string{`spec.inbox.embedded.size: Invalid value: "100000m": inbox.embedded.size: write a size from 64Mi to 16Ti, for example 1Gi`},
	},
	{
		Name:     "an absurd inbox",
		Accepted: `inbox: {embedded: {size: 10T}}`,
		Refused:  `inbox: {embedded: {size: 1e999999999}}`,
		Messages: []string{`spec.inbox.embedded.size: Invalid value: "1e999999999": inbox.embedded.size: write a size from 64Mi to 16Ti, for example 1Gi`},
	},
	{
		Name:     "an inbox size with a small exponent",
		Accepted: `inbox: {embedded: {size: 0.5Gi}}`,
		Refused:  `inbox: {embedded: {size: "1E9"}}`,
		Messages: []string{`spec.inbox.embedded.size: Invalid value: "1E9": inbox.embedded.size: write a size from 64Mi to 16Ti, for example 1Gi`},
	},
	{
		Name:     "an inbox size that is no size",
		Accepted: `inbox: {embedded: {size: +1Gi}}`,
		Refused:  `inbox: {embedded: {size: 1GiB}}`,
		Messages: []string{
			`spec.inbox.embedded.size: Invalid value: "1GiB": spec.inbox.embedded.size in body should match '^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$'`,
			`spec.inbox.embedded.size: Invalid value: "1GiB": inbox.embedded.size: write a size from 64Mi to 16Ti, for example 1Gi`,
		},
	},
	{
		Name:     "a name that no StorageClass can have",
		Accepted: `inbox: {embedded: {storageClassName: fast-ssd.v2}}`,
		Refused:  `inbox: {embedded: {storageClassName: Fast SSD}}`,
		Messages: []string{`spec.inbox.embedded.storageClassName: Invalid value: "Fast SSD": inbox.embedded.storageClassName: write the name of a StorageClass, for example fast-ssd`},
	},
	{
		Name:     "a long name of a StorageClass",
		Accepted: `inbox: {embedded: {storageClassName: ` + strings.Repeat("a", 253) + `}}`,
		Refused:  `inbox: {embedded: {storageClassName: ` + strings.Repeat("a", 254) + `}}`,
		Messages: []string{`spec.inbox.embedded.storageClassName: Too long: may not be more than 253 bytes`},
	},
}

// deliveryRules are those of spec.delivery.
var deliveryRules = []Rule{
	{
		Name:     "an unknown ordering",
		Accepted: `delivery: {ordering: Unordered}`,
		Refused:  `delivery: {ordering: Global}`,
		Messages: []string{`spec.delivery.ordering: Unsupported value: "Global": supported values: "PerConversation", "Unordered"`},
	},
	{
		Name:     "paused that is no truth value",
		Accepted: `delivery: {paused: true}`,
		Refused:  `delivery: {paused: "true"}`,
		Messages: []string{`spec.delivery.paused: Invalid value: "string": spec.delivery.paused in body must be of type boolean: "string"`},
	},
	{
		Name:     "no concurrency",
		Accepted: `delivery: {concurrency: 1}`,
		Refused:  `delivery: {concurrency: 0}`,
		Messages: []string{`spec.delivery.concurrency: Invalid value: 0: delivery.concurrency: write a number from 1 to 10000, for example 64`},
	},
	{
		Name:     "an absurd concurrency",
		Accepted: `delivery: {concurrency: 10000}`,
		Refused:  `delivery: {concurrency: 10001}`,
		Messages: []string{`spec.delivery.concurrency: Invalid value: 10001: delivery.concurrency: write a number from 1 to 10000, for example 64`},
	},
	{
		Name:     "a concurrency that is no number",
		Accepted: `delivery: {concurrency: 64}`,
		Refused:  `delivery: {concurrency: many}`,
		Messages: []string{`spec.delivery.concurrency: Invalid value: "string": spec.delivery.concurrency in body must be of type integer: "string"`},
	},
	{
		Name:     "a short first backoff",
		Accepted: `delivery: {retry: {initialBackoff: 10ms}}`,
		Refused:  `delivery: {retry: {initialBackoff: 9ms}}`,
		Messages: []string{`spec.delivery.retry.initialBackoff: Invalid value: "9ms": delivery.retry.initialBackoff: write a duration from 10ms to 1h, for example 1s`},
	},
	{
		Name:     "a long first backoff",
		Accepted: `delivery: {retry: {initialBackoff: 1h, maxBackoff: 1h}}`,
		Refused:  `delivery: {retry: {initialBackoff: 61m, maxBackoff: 2h}}`,
		Messages: []string{`spec.delivery.retry.initialBackoff: Invalid value: "61m": delivery.retry.initialBackoff: write a duration from 10ms to 1h, for example 1s`},
	},
	{
		Name:     "a long first backoff in its text",
		Accepted: `delivery: {retry: {initialBackoff: 1.000000001s}}`,
		Refused:  `delivery: {retry: {initialBackoff: ` + strings.Repeat("1s", 17) + `}}`,
		Messages: []string{`spec.delivery.retry.initialBackoff: Too long: may not be more than 32 bytes`},
	},
	{
		Name:     "a short longest backoff",
		Accepted: `delivery: {retry: {initialBackoff: 10ms, maxBackoff: 10ms}}`,
		Refused:  `delivery: {retry: {initialBackoff: 10ms, maxBackoff: 9ms}}`,
		Messages: []string{
			`spec.delivery.retry.maxBackoff: Invalid value: delivery.retry.maxBackoff: must not be shorter than initialBackoff: write for example 5m`,
			`spec.delivery.retry.maxBackoff: Invalid value: "9ms": delivery.retry.maxBackoff: write a duration from 10ms to 24h, for example 5m`,
		},
	},
	{
		Name:     "a long longest backoff",
		Accepted: `delivery: {retry: {maxBackoff: 24h}}`,
		Refused:  `delivery: {retry: {maxBackoff: 25h}}`,
		Messages: []string{`spec.delivery.retry.maxBackoff: Invalid value: "25h": delivery.retry.maxBackoff: write a duration from 10ms to 24h, for example 5m`},
	},
	{
		Name:     "a longest backoff of a long text",
		Accepted: `delivery: {retry: {maxBackoff: 5m0s}}`,
		Refused:  `delivery: {retry: {maxBackoff: ` + strings.Repeat("1s", 17) + `}}`,
		Messages: []string{`spec.delivery.retry.maxBackoff: Too long: may not be more than 32 bytes`},
	},
	{
		Name:     "a longest backoff below the first",
		Accepted: `delivery: {retry: {initialBackoff: 2s, maxBackoff: 2000ms}}`,
		Refused:  `delivery: {retry: {initialBackoff: 2s, maxBackoff: 1999ms}}`,
		Messages: []string{`spec.delivery.retry.maxBackoff: Invalid value: delivery.retry.maxBackoff: must not be shorter than initialBackoff: write for example 5m`},
	},
	{
		Name:     "a longest backoff below the default of the first",
		Accepted: `delivery: {retry: {maxBackoff: 1s}}`,
		Refused:  `delivery: {retry: {maxBackoff: 999ms}}`,
		Messages: []string{`spec.delivery.retry.maxBackoff: Invalid value: delivery.retry.maxBackoff: must not be shorter than initialBackoff: write for example 5m`},
	},
	{
		Name:     "an absurd backoff",
		Accepted: `delivery: {retry: {maxBackoff: 23h}}`,
		Refused:  `delivery: {retry: {maxBackoff: 99999999999h}}`,
		Messages: []string{`spec.delivery.retry.maxBackoff: Invalid value: "99999999999h": delivery.retry.maxBackoff: write a duration from 10ms to 24h, for example 5m`},
	},
	{
		Name:     "a short age",
		Accepted: `delivery: {retry: {maxAge: 1s}}`,
		Refused:  `delivery: {retry: {maxAge: 0s}}`,
		Messages: []string{`spec.delivery.retry.maxAge: Invalid value: "0s": delivery.retry.maxAge: write a duration from 1s to 720h, for example 24h`},
	},
	{
		Name:     "a long age",
		Accepted: `delivery: {retry: {maxAge: 720h}}`,
		Refused:  `delivery: {retry: {maxAge: 721h}}`,
		Messages: []string{`spec.delivery.retry.maxAge: Invalid value: "721h": delivery.retry.maxAge: write a duration from 1s to 720h, for example 24h`},
	},
	{
		Name:     "an age of a long text",
		Accepted: `delivery: {retry: {maxAge: 48h0m0s}}`,
		Refused:  `delivery: {retry: {maxAge: ` + strings.Repeat("1s", 17) + `}}`,
		Messages: []string{`spec.delivery.retry.maxAge: Too long: may not be more than 32 bytes`},
	},
	{
		Name:     "a short retention",
		Accepted: `delivery: {deadLetterRetention: 60s}`,
		Refused:  `delivery: {deadLetterRetention: 59s}`,
		Messages: []string{`spec.delivery.deadLetterRetention: Invalid value: "59s": delivery.deadLetterRetention: write a duration from 1m to 8760h, for example 168h`},
	},
	{
		Name:     "a long retention",
		Accepted: `delivery: {deadLetterRetention: 8760h}`,
		Refused:  `delivery: {deadLetterRetention: 8761h}`,
		Messages: []string{`spec.delivery.deadLetterRetention: Invalid value: "8761h": delivery.deadLetterRetention: write a duration from 1m to 8760h, for example 168h`},
	},
	{
		Name:     "a negative retention",
		Accepted: `delivery: {deadLetterRetention: 168h0m0s}`,
		Refused:  `delivery: {deadLetterRetention: -168h}`,
		Messages: []string{`spec.delivery.deadLetterRetention: Invalid value: "-168h": delivery.deadLetterRetention: write a duration from 1m to 8760h, for example 168h`},
	},
	{
		Name:     "a retention of a long text",
		Accepted: `delivery: {deadLetterRetention: 1h1m1s1ms}`,
		Refused:  `delivery: {deadLetterRetention: ` + strings.Repeat("1h", 17) + `}`,
		Messages: []string{`spec.delivery.deadLetterRetention: Too long: may not be more than 32 bytes`},
	},
}
