// Package webhook is the way in: the HTTP server that platforms call. It authenticates a call, bounds what the call may
// cost, has the channel type verify and identify it, and answers 200 only if the inbox holds the event durably.
//
// The checks, their order and their answers stand in docs/webhook.md. The way of a call through this package:
//
//	Handler.ServeHTTP     path, page or health check
//	Handler.serveChannel  method and API key
//	Handler.admit         a place, and room for the body as it arrives
//	Handler.serve         the channel type reads the call: probe, form, app, signature, account
//	Handler.triage        event filter and age, for each event of the call
//	Handler.store         the inbox takes the events of a call together, or none
//
// The API key rides in the URL's query. Nothing here logs, counts or repeats a URL, a header or a body.
package webhook
