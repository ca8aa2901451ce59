package pebble_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// benchmarked is an event of the published example's size in one of 10,000 conversations.
func benchmarked(n int64, body []byte) event.Event {
	user := strconv.FormatInt(n%10_000, 10)
	return event.Event{
		ID: sha256.Sum256(strconv.AppendInt(nil, n, 10)), Channel: "chat/shop",
		Source: "/zalo/2553928453557884079/3662729599332560487", Type: "vn.zalo.oa.user_send_text",
		Subject: user, Conversation: "oa/3662729599332560487/user/" + user,
		Time: time.UnixMilli(1699003881354), Body: body,
	}
}

func openBenchmark(b *testing.B) *pebble.Inbox {
	b.Helper()
	s, err := pebble.Open(pebble.Options{
		Path: b.TempDir(), MaxSize: 64 << 30, DeduplicationWindow: 24 * time.Hour,
		Metrics: telemetry.New(prometheus.NewRegistry()), Log: logr.Discard(),
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// BenchmarkAccept has 256 callers store events, every one fsynced.
func BenchmarkAccept(b *testing.B) {
	s := openBenchmark(b)
	body := make([]byte, 269)
	_, _ = rand.Read(body)
	var n atomic.Int64
	b.SetParallelism(128)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			e := benchmarked(n.Add(1), body)
			if _, err := acceptOne(context.Background(), s, e); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkDeliver has 64 workers claim and settle a backlog.
func BenchmarkDeliver(b *testing.B) {
	s := openBenchmark(b)
	body := make([]byte, 269)
	for n := range int64(b.N) {
		e := benchmarked(n, body)
		go func() { _, _ = acceptOne(context.Background(), s, e) }()
	}
	consumer, stored := s.Consumer("chat/shop"), inbox.Stats{}
	for ; stored.Pending < int64(b.N); stored, _ = s.Stats(context.Background(), "chat/shop") {
		<-consumer.Ready()
	}
	b.ResetTimer()
	settled := make(chan error)
	free, left := 64, b.N
	for left > 0 {
		claims, _, err := consumer.Claim(context.Background(), free)
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range claims {
			go func() { settled <- consumer.Settle(context.Background(), c, inbox.Taken{}) }()
		}
		free -= len(claims)
		if free == 64 {
			b.Fatal(fmt.Errorf("nothing to claim, %d left", left))
		}
		if err := <-settled; err != nil {
			b.Fatal(err)
		}
		free, left = free+1, left-1
	}
}
