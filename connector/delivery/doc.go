// Package delivery is the way out: it claims events from the inbox, has sinks attempt them, and settles each claim by
// the result.
//
// # One pump per channel
//
// A pump is one goroutine. It claims as many events as it may start, attempts each batch of them in a goroutine of its
// own, and sleeps until something changed: an event became claimable, a retry is due, a slot was freed, the configuration was
// reloaded. It never polls. An idle channel costs one sleeping goroutine; an idle conversation costs nothing here,
// because order within a conversation is the inbox's: it hands out one event of a lane at a time.
//
// # What an attempt leads to
//
// Function decide holds the whole rule. Taken by the sink: the event is removed. Refused by the sink: dead letter at
// once. Anything else: another attempt after a wait of exponential backoff with full jitter, or after the sink's own
// Retry-After if that is longer; no wait goes past the event's maxAge. An attempt that fails at or past maxAge makes
// the event a dead letter, so every event gets at least one.
//
// # A sink that asks for a pause
//
// A Retry-After delays its own conversation. After three of different conversations in a row the channel is held (see
// hold): single attempts, until one succeeds.
//
// # Fairness between channels
//
// A channel is bounded by its own concurrency, and all channels together by a dynamic threshold (see limiter), so a
// sink that hangs holds a part of the slots, and of the memory for bodies, never all of them.
//
// # Panics
//
// A panic in a sink ends the process on purpose: the event is claimed again after the restart, whereas a recovered
// panic would leave its conversation either blocked for good or out of order.
package delivery
