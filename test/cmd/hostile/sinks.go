package main

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// poisoned is the number of the conversation that a bot refuses now and then.
const poisoned = 3

// mood is a bot's way to answer for a while.
type mood struct {
	name   string
	answer traffic.Mood
}

// moods are those of all bots. Half of the time they are kind.
var moods = []mood{
	{"kind", always(http.StatusOK, nil)},
	{"down", always(http.StatusInternalServerError, nil)},
	{"101", always(0, raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", ""))},
	{"204 with a body", always(http.StatusNoContent, raw("HTTP/1.1 204 No Content\r\n\r\n"+sinkMark, ""))},
	{"a body without end", always(http.StatusOK, raw("HTTP/1.1 200 OK\r\n\r\n", strings.Repeat(sinkMark, 100)))},
	{"headers without end", always(0, raw("HTTP/1.1 200 OK\r\n", strings.Repeat("X-More: "+sinkMark+"\r\n", 50)))},
	{"429", always(http.StatusTooManyRequests, after(http.StatusTooManyRequests, "1"))},
	{"503", always(http.StatusServiceUnavailable, after(http.StatusServiceUnavailable, "2"))},
	{"slow", always(0, raw("", ""))},
	{"reset", always(0, reset)},
	{"a redirect", always(http.StatusFound, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://127.0.0.1:1/"+sinkMark)
		w.WriteHeader(http.StatusFound)
	})},
	{"a poisoned conversation", poisons(always(http.StatusUnprocessableEntity, nil))},
	{"a conversation with 503", poisons(always(http.StatusServiceUnavailable, after(http.StatusServiceUnavailable, "1")))},
}

// poisons is kind to all conversations but one.
func poisons(answer traffic.Mood) traffic.Mood {
	return func(m traffic.Message, header http.Header) traffic.Answer {
		if m.Conversation == poisoned {
			return answer(m, header)
		}
		return traffic.Answer{Status: http.StatusOK}
	}
}

func always(status int, reply http.HandlerFunc) traffic.Mood {
	return func(traffic.Message, http.Header) traffic.Answer { return traffic.Answer{Status: status, Reply: reply} }
}

func after(status int, seconds string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", seconds)
		http.Error(w, sinkMark, status)
	}
}

// held bounds a bot's work on one connection, far beyond the sink's time-out.
const held = 20 * time.Second

// raw takes the connection over and sends first. Then it repeats then, or waits if that is empty, until the connector
// closes.
func raw(first, then string) http.HandlerFunc {
	return hijacked(func(conn net.Conn) {
		_ = conn.SetDeadline(time.Now().Add(held))
		_, err := io.WriteString(conn, first)
		if then == "" {
			_, _ = io.Copy(io.Discard, conn) // until it is closed
			return
		}
		pause := time.NewTicker(5 * time.Millisecond)
		defer pause.Stop()
		for err == nil {
			_, err = io.WriteString(conn, then)
			<-pause.C
		}
	})
}

var reset = hijacked(func(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
})

func hijacked(use func(net.Conn)) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err) // the bot speaks HTTP/1.1 only
		}
		defer func() { _ = conn.Close() }()
		use(conn)
	}
}

// changeMoods lets a bot change its mood every few seconds.
func changeMoods(ctx context.Context, bot *traffic.Bot, random *rand.Rand) {
	defer bot.Behave(moods[0].answer)
	for ctx.Err() == nil {
		bot.Behave(moods[max(0, random.IntN(2*len(moods))-len(moods))].answer)
		await(ctx, time.After(time.Duration(500+random.IntN(3000))*time.Millisecond))
	}
}

// sinkMark is in every answer of the bots; the connector's log must not have it.
const sinkMark = "what-the-sink-says"
