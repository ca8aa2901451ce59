package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// job tells a load process what to send. It sends Count events, fewer when
// Duration ends first.
type job struct {
	Address       string
	Connections   int
	Duration      time.Duration // 0: until all are sent
	Rate          int           // events/s in all; 0: as fast as the answers come
	First         int           // number of the first event; no two jobs share numbers
	Count         int
	Conversations int
	Channels      int
}

// report is what came of a job.
type report struct {
	Sent    int
	Elapsed time.Duration
	// SentAt is when each event was sent, in nanoseconds since the epoch, for a
	// job with a Rate only.
	SentAt []int64
}

// perSecond is the rate of answers.
func (r report) perSecond() float64 { return float64(r.Sent) / r.Elapsed.Seconds() }

// runLoad is the load process: a job comes in as JSON, a report goes out.
func runLoad(in io.Reader, out io.Writer) error {
	var j job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		return err
	}
	r, err := j.run()
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(r)
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

func (j job) run() (report, error) {
	l := &load{job: j, requests: newRequests(j.First, j.Count, j.Conversations, j.Channels)}
	if j.Rate > 0 {
		l.sentAt = make([]int64, j.Count)
	}
	clients := make([]*client, j.Connections)
	for i := range clients {
		c, err := dial(j.Address)
		if err != nil {
			return report{}, err
		}
		defer func() { _ = c.conn.Close() }()
		clients[i] = c
	}

	l.start = time.Now()
	errs := make([]error, len(clients))
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() { errs[i] = l.drive(c) })
	}
	wg.Wait()
	elapsed := time.Since(l.start)
	return report{Sent: int(l.answered.Load()), Elapsed: elapsed, SentAt: l.sentAt}, errors.Join(errs...)
}

// drive sends events over one connection until the job is done. A figure is
// worth nothing when calls fail, so any answer but 200 is an error.
func (l *load) drive(c *client) error {
	for {
		i := int(l.taken.Add(1) - 1)
		if i >= l.requests.count() || l.Duration > 0 && time.Since(l.start) >= l.Duration {
			return nil
		}
		if l.Rate > 0 {
			due := l.start.Add(time.Duration(i) * time.Second / time.Duration(l.Rate))
			<-time.After(time.Until(due))
			l.sentAt[i] = time.Now().UnixNano()
		}
		status, err := c.do(l.requests.at(i))
		if err != nil {
			return fmt.Errorf("event %d of this job: %w", i, err)
		}
		if status != 200 {
			return fmt.Errorf("event %d of this job was answered %d", i, status)
		}
		l.answered.Add(1)
	}
}
