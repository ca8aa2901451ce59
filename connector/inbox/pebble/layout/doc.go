// Package layout is the format of a store on disk: the keys and records in Pebble, and the ledger beside Pebble's own
// files. It decides nothing. The store and the examination of a stopped one share it. A golden file of its tests holds
// the bytes of everything, so that no change of the format goes unseen.
//
// # Keys
//
//	m                              schema version
//	a                              age of the store: last reading of its clock
//	c channel                      channel record: name, counters, pauses, cursor
//	e channel sequence             pending event
//	d bucket channel id            de-duplication: when the id was accepted
//	l channel lane                 tracked lane: its head, attempts, next attempt
//	t channel due lane             the same lanes by the time of the next attempt
//	p channel lane sequence        further events of a tracked lane
//	x channel died-at sequence     dead letter
//
// channel is 8 bytes and lane 16 bytes of a SHA-256 digest; numbers are big-endian, so that key order is their order.
//
// # The ledger
//
// The ledger is a file with the durable length of each manifest and log of Pebble, and the checksum of that part.
// intact.go states its promises, and the damage that no start can detect.
package layout
