package main

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"xbot.a4b.vn/channel-connector/test/kit/must"
)

// job orders a load process to send Count events, fewer if Duration ends first.
type job struct {
	Address       string
	Connections   int
	Duration      time.Duration // 0: until all are sent
	Rate          int           // events/s in all; 0: as fast as the answers come
	First         int           // number of the first event; no two jobs share numbers
	Count         int
	Conversations int
	Channels      int
	// Type is the type of channel that is called, and Secrets are what calls are signed with. Empty: ZaloOA, with xBot's
	// published example.
	Type    string
	Secrets []string
}

// report is the outcome of a job.
type report struct {
	Sent    int
	Elapsed time.Duration
	// SentAt is when each event was sent, in nanoseconds since the epoch. It is empty for a job without Rate.
	SentAt []int64
}

// perSecond is the rate of answers.
func (r report) perSecond() float64 { return float64(r.Sent) / r.Elapsed.Seconds() }

// runLoad is the load process: it answers its job with a report.
func runLoad(j job, answer func(any) error, _ <-chan struct{}) error {
	var r report
	if err := must.Catch(func() { r = j.run() }); err != nil {
		return err
	}
	return answer(r)
}

// load is a job under way.
type load struct {
	job
	requests requests
	start    time.Time
	taken    atomic.Int64 // events that a connection has taken to send
	answered atomic.Int64
	sentAt   []int64
}

func (j job) run() report {
	request := newRequest
	if j.Type != "" {
		request = requestOf(dialectOf(j.Type), j.Secrets)
	}
	l := &load{job: j, requests: newRequests(request, j.First, j.Count, j.Conversations, j.Channels)}
	if j.Rate > 0 {
		l.sentAt = make([]int64, j.Count)
	}
	clients := make([]*client, j.Connections)
	for i := range clients {
		clients[i] = dial(j.Address)
		defer func() { _ = clients[i].Close() }()
	}

	l.start = time.Now()
	var group errgroup.Group
	for _, c := range clients {
		group.Go(func() error { return must.Catch(func() { l.drive(c) }) })
	}
	must.Do(group.Wait())
	return report{Sent: int(l.answered.Load()), Elapsed: time.Since(l.start), SentAt: l.sentAt}
}

// drive sends events over one connection until the job is done. A figure is worth nothing if calls fail, so any answer
// but 200 is an error.
func (l *load) drive(c *client) {
	for {
		i := int(l.taken.Add(1) - 1)
		if i >= l.requests.count() || l.Duration > 0 && time.Since(l.start) >= l.Duration {
			return
		}
		if l.Rate > 0 {
			<-time.After(time.Until(l.start.Add(time.Duration(i) * time.Second / time.Duration(l.Rate))))
			l.sentAt[i] = time.Now().UnixNano()
		}
		if status := c.do(l.requests.at(i)); status != http.StatusOK {
			must.Do(fmt.Errorf("event %d of this job was answered %d", i, status))
		}
		l.answered.Add(1)
	}
}
