package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/benchmark"
	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/series"
)

const (
	// noSink is the discard port, at which nothing listens.
	noSink = "http://127.0.0.1:9"
	// connections is that of the load of figures 1 to 4.
	connections = 256
	// mostPerSecond is more than any server on one machine of today answers.
	mostPerSecond = 80_000
)

// bareServer is a running server of this program.
type bareServer struct {
	*process.Worker
	address string
}

func (b *bench) startServer(ctx context.Context, s serverSettings) *bareServer {
	return b.startRole(ctx, "server", s)
}

// startFloor starts the floor, with a file of its own.
func (b *bench) startFloor(ctx context.Context, sink string) *bareServer {
	b.floors++
	return b.startRole(ctx, "floor", floorSettings{Sink: sink, File: filepath.Join(b.Folder, fmt.Sprintf("floor-%d", b.floors))})
}

func (b *bench) startRole(ctx context.Context, role string, settings any) *bareServer {
	s := &bareServer{Worker: must.Get(process.StartWorker(ctx, role, settings))}
	b.Cleanup(s.Kill)
	must.Do(s.Answer(&s.address))
	return s
}

func (s *bareServer) url() string { return "http://" + s.address }

// received asks the server for the events that it took.
func (s *bareServer) received(ctx context.Context) (r received) {
	resp, err := http.DefaultClient.Do(must.Get(http.NewRequestWithContext(ctx, http.MethodGet, s.url(), http.NoBody)))
	must.Do(err)
	defer func() { _ = resp.Body.Close() }()
	must.Do(json.NewDecoder(resp.Body).Decode(&r))
	return r
}

// waitReceived waits until the server has taken count events.
func (s *bareServer) waitReceived(ctx context.Context, count int) (r received) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	must.Do(s.Wait(ctx, fmt.Sprintf("%d events", count), func(ctx context.Context) bool {
		if r = s.received(ctx); r.Count < int64(count) {
			benchmark.Pause(ctx, 10*time.Millisecond)
		}
		return r.Count >= int64(count)
	}))
	return r
}

// load runs a job in a process of its own, with events that no job had before.
func (b *bench) load(ctx context.Context, j job) (r report) {
	j.First = b.sent
	b.sent += j.Count
	worker := must.Get(process.StartWorker(ctx, "load", j))
	defer worker.Kill()
	if err := worker.Answer(&r); err != nil {
		must.Do(fmt.Errorf("load on %s: %w", j.Address, err))
	}
	return r
}

// fullLoad is the load of figure 1: as fast as the answers come.
func (b *bench) fullLoad(address string) job {
	return job{
		Address: address, Connections: connections, Duration: b.duration, Count: int(b.duration.Seconds() * mostPerSecond),
		Conversations: 10_000, Channels: 1,
	}
}

// trial is one round of one side of a comparison; it returns a rate per second.
type trial func(ctx context.Context) float64

// accepts is the trial that only counts answers.
func (b *bench) accepts(address string, channels int) trial {
	return func(ctx context.Context) float64 {
		j := b.fullLoad(address)
		j.Channels = channels
		return b.load(ctx, j).perSecond()
	}
}

// compare runs trials in turn, A B A B …, after one round of each that does not count. It returns the results of each.
func (b *bench) compare(ctx context.Context, trials ...trial) []series.Series {
	results := make([]series.Series, len(trials))
	for round := range b.rounds + 1 {
		for i, run := range trials {
			if rate := run(ctx); round > 0 {
				results[i] = append(results[i], rate)
			}
		}
	}
	return results
}
