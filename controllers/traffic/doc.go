// Package traffic learns from the connectors how their traffic is, and judges it.
//
// A Poller asks the pods of each ChannelConnector every 100 s or so for their reports, merges those of all replicas,
// and judges what they say together. A judgement counts once two polls agree on it, so that what passes by itself is
// never written:
//
//	poll ──▶ merge ──▶ judge ──▶ as the status says? ──▶ nothing to do
//	                                   │ no
//	                                   ▼
//	             10 s later: poll, merge, judge ──▶ the same again? ──▶ a pass writes it
//
// The status is the memory: an operator that restarts knows what the one before wrote, and writes nothing unless
// something has changed.
package traffic
