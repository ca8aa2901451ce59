package main

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/example"
)

const secret = "benchmark-oa-secret-key"

// began is the time of every event, since the connector refuses old ones.
var began = time.Now()

// eventOf is xBot's published example with a sender and a msg_id. Every event has its 269 bytes.
func eventOf(sequence, sender int) []byte {
	body := example.EventOf(fmt.Sprintf("%020x", sequence), began)
	return bytes.Replace(body, []byte("xxxxxxxx"), fmt.Appendf(nil, "%08d", sender), 1)
}

// msgIDAt is the position of the 20 hex digits of msg_id.
var msgIDAt = bytes.Index(example.Event, []byte(example.MessageID))

// sequence reads an event's number back from its body.
func sequence(body []byte) (int, error) {
	if len(body) != len(example.Event) {
		return 0, fmt.Errorf("a body of %d bytes is no event of this benchmark", len(body))
	}
	n, err := strconv.ParseUint(string(body[msgIDAt:msgIDAt+len(example.MessageID)]), 16, 63)
	return int(n), err
}

// apiKey is the key of the channel with that number.
func apiKey(channel int) string { return digest(fmt.Sprintf("channel %d", channel)) }

// requests are complete HTTP requests, made and signed before the clock runs, so that the client costs the same for
// every server. All have the same length and lie one after the other.
type requests struct {
	bytes  []byte
	stride int
}

// newRequests makes count requests with the events' numbers from first on.
func newRequests(request func(sequence, conversations, channels int) []byte, first, count, conversations, channels int) requests {
	stride := len(request(first, conversations, channels))
	r := requests{bytes: make([]byte, stride*count), stride: stride}
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < count; i += workers {
				copy(r.at(i), request(first+i, conversations, channels))
			}
		})
	}
	wg.Wait()
	return r
}

func (r requests) at(i int) []byte { return r.bytes[i*r.stride : (i+1)*r.stride] }

func (r requests) count() int { return len(r.bytes) / r.stride }

func newRequest(sequence, conversations, channels int) []byte {
	body := eventOf(sequence, sequence%conversations)
	return fmt.Appendf(nil, "POST %s?param.header.xp-api-key=%s HTTP/1.1\r\n"+
		"Host: localhost\r\nUser-Agent: ZaloWebhook\r\nX-ZEvent-Server: OA OpenAPI\r\n"+
		"%s: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		zalo.DefaultPath, apiKey(sequence%channels),
		zalo.SignatureHeader, zalo.Sign(example.AppID, body, strconv.FormatInt(began.UnixMilli(), 10), secret), len(body), body)
}
