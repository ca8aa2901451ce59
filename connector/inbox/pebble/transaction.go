package pebble

import (
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/layout"
)

// transaction is one batch in the making.
type transaction struct {
	*pebble.Batch
	reader   pebble.Reader  // the store, with the batch if an operation asked for it
	now      layout.Instant // by the store's own clock
	time     time.Time      // by the machine's, for people
	keepTime bool           // the clock is stored even if nothing else is
	full     error          // why the inbox takes nothing new; nil while it does
	store    *Inbox
	err      error // that of a write to the batch. It fails the whole batch, since an operation is in it by half.
	// accepted are the new events of this batch, so that a second call with the same id waits for the same fsync.
	accepted map[duplicateID]struct{}
	// appended are the new events by channel, and changed the channels whose record must be written.
	appended map[*channel][]encodedEvent
	changed  map[*channel]struct{}
}

func (s *Inbox) begin(ops []operation) *transaction {
	tx := &transaction{
		now: s.clock.now(), time: s.clock.source.Now(), full: s.space.full(), store: s,
		accepted: make(map[duplicateID]struct{}, len(ops)),
		appended: make(map[*channel][]encodedEvent, 1),
		changed:  make(map[*channel]struct{}, 1),
	}
	if slices.ContainsFunc(ops, operation.reads) {
		tx.Batch = s.db.NewIndexedBatch()
		tx.reader = tx.Batch
		return tx
	}
	tx.Batch, tx.reader = s.db.NewBatch(), s.db
	return tx
}

func (s *Inbox) write(tx *transaction) error {
	start := s.clock.now()
	tx.writeChannels()
	tx.writeClock()
	if tx.err == nil {
		tx.err = s.db.Apply(tx.Batch, pebble.Sync)
	}
	if tx.err != nil {
		return tx.err
	}
	s.metrics.SyncDuration.Observe(s.clock.now().Since(start).Seconds())
	s.space.wrote(tx.Len())
	return nil
}

// publish makes the events of a durable batch claimable.
func (s *Inbox) publish(tx *transaction) {
	for ch, events := range tx.appended {
		ch.published(events)
	}
	_ = tx.Close() // a batch that was applied closes without error
}

func (tx *transaction) append(ch *channel, record []byte) {
	if !ch.recorded {
		tx.changed[ch] = struct{}{}
	}
	sequence := ch.last.Add(1)
	tx.appended[ch] = append(tx.appended[ch], encodedEvent{sequence, record})
	tx.wrote(tx.Set(layout.EventKey(ch.key, sequence), record, nil))
}

// writeChannels writes the records of the changed channels, once a batch.
func (tx *transaction) writeChannels() {
	for ch := range tx.changed {
		ch.recorded = true
		tx.wrote(tx.Set(layout.ChannelRecordKey(ch.key), ch.record().Encode(), nil))
	}
}

// wrote notes the error of a write to the batch.
func (tx *transaction) wrote(err error) {
	if err != nil {
		tx.err = err
	}
}
