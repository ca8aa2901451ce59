// Package webhook is the way in: the HTTP server that platforms call. It
// authenticates a call, bounds what it may cost, has the channel type verify and
// identify it, and answers 200 only when the inbox holds the event durably.
//
// A call meets these checks in this order, and the first that applies decides:
//
//	0   GET of the health path: 200 while calls should come, 503 when stopping
//	1   unknown path: 404
//	2   GET with a valid API key: the type's handshake, 200 if it has none; not stored
//	2a  not POST: 405
//	3   API key missing or wrong: 401
//	4   too many calls in flight, or no room for what has arrived of the body: 503
//	4a  signature missing or malformed, where one is demanded, and a body larger
//	    than a probe: 401, before the body has come
//	5   body larger than the channel's bound: 413
//	6   the platform's probe: 200, not stored
//	7   malformed body: 400
//	8   another app's call: 403
//	8a  nothing to verify the call with yet: 503
//	9   signature missing or wrong: 401
//	10  the platform's console test: 200, not stored
//	11  an account that is not on the allow-list: 200, not stored
//	12  an event that the channel leaves out: 200, not stored
//	12a verified, and older than the channel's bound: 503, not stored
//	13  an event that is already stored: 200
//	14  inbox full or failing, or not durable in the type's time, 1.8 s for Zalo: 503
//	15  anything else: stored, 200
//
// Checks 6 to 11 are the channel type's, and so is the header's part of 4a; see package
// channel. If a call holds several events, 10 to 12a and 15 apply to each of them: one
// that is refused refuses the call, and the others are stored together or not at all.
//
// An answer to a call with a key has the shape of its type, any other is JSON:
// {"status":"1","message":...}. Every refusal is counted by reason. A type's public pages
// are served without a key, and like health checks are not counted.
//
// Escapes in a path are not undone, so that each path has one spelling and a front
// proxy's rules for it hold. One slash at the end makes no difference.
//
// The API key rides in the URL's query. Nothing here logs, counts or repeats a
// URL, a header or a body.
package webhook
