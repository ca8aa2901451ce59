package schematest

import "strings"

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
