package inbox_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// open opens a store, here the one on a disk.
func open(folder string) inbox.Inbox {
	store, err := pebble.Open(pebble.Options{
		Path: folder, MaxSize: 1 << 30, DeduplicationWindow: 24 * time.Hour,
		Metrics: telemetry.New(prometheus.NewRegistry()), Log: logr.Discard(),
	})
	if err != nil {
		panic(err)
	}
	return store
}

// message is an event of a conversation.
func message(n byte, conversation string) event.Event {
	return event.Event{
		ID: event.ID{n}, Channel: "chat/shop", Source: "/zalo/1/2", Type: "vn.zalo.oa.user_send_text",
		Conversation: conversation, Time: time.UnixMilli(1699003881354),
		ContentType: "application/json", Body: fmt.Appendf(nil, `{"n":%d}`, n),
	}
}

// An inbox stores a batch once, and hands out one event of each conversation until
// that is settled.
func Example() {
	folder, err := os.MkdirTemp("", "inbox")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	ctx, store := context.Background(), open(folder)
	defer store.Close()

	consumer, err := store.Consume(ctx, "chat/shop", inbox.Settings{Ordering: inbox.PerConversation})
	if err != nil {
		panic(err)
	}
	batch := []event.Event{message(1, "an"), message(2, "an"), message(3, "binh"), message(1, "an")}
	outcomes, err := store.Accept(ctx, batch)
	fmt.Println("stored:", outcomes[0] == inbox.Stored, "again:", outcomes[3] == inbox.Duplicate, err)

	for _, verdict := range []inbox.Verdict{inbox.Taken{}, inbox.Dead{Reason: "HTTP 422"}} {
		<-consumer.Ready()
		claims, _, err := consumer.Claim(ctx, 10)
		for _, claim := range claims {
			fmt.Printf("%s %s, %v\n", claim.Lane, claim.Event.Body, err)
			if err := consumer.Settle(ctx, claim, verdict); err != nil {
				panic(err)
			}
		}
	}
	stats, err := store.Stats(ctx, "chat/shop")
	fmt.Println("pending:", stats.Pending, "dead:", stats.DeadLetters, err)
	// Output:
	// stored: true again: true <nil>
	// an {"n":1}, <nil>
	// binh {"n":3}, <nil>
	// an {"n":2}, <nil>
	// pending: 0 dead: 1 <nil>
}
