package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/series"
)

// noSink is where nothing listens: the discard port.
const noSink = "http://127.0.0.1:9"

// Enough for any server that one machine of today holds.
const mostPerSecond = 80_000

// bareServer is a running server process of ours.
type bareServer struct {
	address string
	process *process.Process
}

func (b *bench) startServer(ctx context.Context, s serverSettings) (*bareServer, error) {
	return b.startRole(ctx, "server", s)
}

// startFloor starts the floor, with a file of its own.
func (b *bench) startFloor(ctx context.Context, sink string) (*bareServer, error) {
	b.floors++
	file := filepath.Join(b.Folder, fmt.Sprintf("floor-%d", b.floors))
	return b.startRole(ctx, "floor", floorSettings{Sink: sink, File: file})
}

// startRole starts a server process from this binary.
func (b *bench) startRole(ctx context.Context, role string, s any) (*bareServer, error) {
	settings, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, b.self, "-role", role, "-settings", string(settings))
	cmd.Stderr = os.Stderr
	// Left open: the server ends when its parent, and with it the pipe, does.
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p, err := process.Start(cmd)
	if err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the bare server told no address: %w", err)
	}
	return &bareServer{address: strings.TrimSpace(address), process: p}, nil
}

func (s *bareServer) url() string { return "http://" + s.address }

// received asks the server what it took.
func (s *bareServer) received(ctx context.Context) (received, error) {
	var r received
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url(), http.NoBody)
	if err != nil {
		return r, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return r, err
	}
	defer func() { _ = resp.Body.Close() }()
	return r, json.NewDecoder(resp.Body).Decode(&r)
}

// waitReceived waits until the server has taken count events.
func (s *bareServer) waitReceived(ctx context.Context, count int) (received, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		r, err := s.received(ctx)
		if err != nil || r.Count >= int64(count) {
			return r, err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return r, fmt.Errorf("the sink has %d of %d events: %w", r.Count, count, ctx.Err())
		}
	}
}

// load runs a job in a process of its own, with events that no job had before.
func (b *bench) load(ctx context.Context, j job) (report, error) {
	j.First = b.sent
	b.sent += j.Count
	input, err := json.Marshal(j)
	if err != nil {
		return report{}, err
	}
	cmd := exec.CommandContext(ctx, b.self, "-role", "load")
	cmd.Stdin = bytes.NewReader(input)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return report{}, fmt.Errorf("load on %s: %w", j.Address, err)
	}
	var r report
	return r, json.Unmarshal(output, &r)
}

// fullLoad is the load of figure 1: as fast as the answers come.
func (b *bench) fullLoad(address string) job {
	return job{
		Address:       address,
		Connections:   b.connections,
		Duration:      b.duration,
		Count:         int(b.duration.Seconds() * mostPerSecond),
		Conversations: 10_000,
		Channels:      1,
	}
}

// trial is one round of one side of a comparison; it returns a rate per second.
type trial func(ctx context.Context) (float64, error)

// accepts is the trial that only counts answers.
func (b *bench) accepts(address string, channels int) trial {
	return func(ctx context.Context) (float64, error) {
		j := b.fullLoad(address)
		j.Channels = channels
		r, err := b.load(ctx, j)
		return r.perSecond(), err
	}
}

// compare runs trials in turn, A B A B …, after one round of each that does not
// count. It returns the results of each.
func (b *bench) compare(ctx context.Context, trials ...trial) ([]series.Series, error) {
	results := make([]series.Series, len(trials))
	for range b.rounds + 1 {
		for i, run := range trials {
			rate, err := run(ctx)
			if err != nil {
				return nil, err
			}
			results[i] = append(results[i], rate)
		}
	}
	for i := range results {
		results[i] = results[i][1:]
	}
	return results, nil
}
