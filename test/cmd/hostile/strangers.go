package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/certificate"
	"xbot.a4b.vn/channel-connector/test/kit/cgroup"
	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// memoryBound is the operator's default limit, in bytes.
const memoryBound = 256 << 20

// stage is the ground of all floods.
type stage struct {
	must.Scope
	binary, folder string
	lasts          time.Duration
}

// strangersMain runs one flood after the other.
func strangersMain(ctx context.Context, args []string) {
	flags := flag.NewFlagSet("hostile strangers", flag.ExitOnError)
	only := flags.String("attack", "", "only the attacks whose names match this expression")
	binary := flags.String("binary", "", "the connector to attack; without it, one is built")
	lasts := flags.Duration("for", 30*time.Second, "how long each attack lasts")
	_ = flags.Parse(args) // it ends the process on an error
	chosen := must.Get(regexp.Compile(*only))
	s := &stage{lasts: *lasts, folder: must.Get(os.MkdirTemp("", "strangers-"))}
	missed := 0
	s.Within(func() {
		s.Cleanup(func() { must.Do(os.RemoveAll(s.folder)) })
		if *binary == "" {
			*binary = must.Get(process.Build(ctx, s.folder, "connector"))
		}
		s.binary = must.Get(filepath.Abs(*binary))
		missed = s.floodAll(ctx, chosen)
	})
	if missed > 0 {
		must.Do(fmt.Errorf("%d attacks hurt: asked are %.1f %% of calls within %v and a peak below %d MiB",
			missed, asked, answerWithin, askedMiB))
	}
}

// floodAll runs every chosen flood, in plain text and with TLS, and counts those that hurt.
func (s *stage) floodAll(ctx context.Context, chosen *regexp.Regexp) (missed int) {
	fmt.Println(heading)
	for _, secure := range []bool{false, true} {
		for _, f := range floods {
			if f.secure = secure; secure {
				f.name += ", TLS"
			}
			if !chosen.MatchString(f.name) || (f.secureOnly && !secure) {
				continue
			}
			r := s.flood(ctx, f)
			fmt.Println(r)
			if !r.met() {
				missed++
			}
		}
	}
	return missed
}

// flood runs one flood against a connector of its own.
func (s *stage) flood(ctx context.Context, f flood) (r result) {
	s.Within(func() {
		v := s.start(ctx, f.secure)
		kept, fresh := v.platform(ctx, 0), v.platform(ctx, 1)
		await(ctx, time.After(time.Second)) // the kept connections are verified by then
		s.startFlood(ctx, f, v)
		select {
		case <-time.After(s.lasts):
			r.peakMiB = must.Get(v.Life().Usage()).Peak
		case <-v.Life().Done():
			r.died = true
		case <-ctx.Done():
			must.Do(ctx.Err())
		}
		r.attack, r.kept, r.fresh = f.name, count(kept), count(fresh)
	})
	return r
}

// start starts a connector with an inbox of its own until the scope ends, and waits until it is ready. It runs in a
// memory cgroup, or else with the GOMEMLIMIT that the connector would make of one; then its peak alone tells.
func (s *stage) start(ctx context.Context, secure bool) *connector {
	folder := must.Get(os.MkdirTemp(s.folder, "connector-"))
	v, keys := newConnector(s.binary, folder, "inbox"), newKeys()
	bot := must.Get(traffic.NewBot(ctx, "127.0.0.1"))
	s.Cleanup(func() { must.Do(bot.Close()) })
	switch group, err := cgroup.New(filepath.Base(folder), memoryBound); {
	case errors.Is(err, cgroup.ErrUnavailable):
		v.environment = []string{process.GOMEMLIMIT}
	default:
		must.Do(err)
		s.Cleanup(func() { must.Do(group.Remove()) })
		v.enter = group.Enter
	}
	s.Cleanup(v.Kill)
	v.Secure, v.SinkKey = secure, newKeys().APIKey
	for _, name := range []string{"kept", "fresh"} {
		v.Channels = append(v.Channels, channelSettings{name, bot.URL(), []string{name + keys.APIKey}, []string{keys.Secret}})
	}
	cert, key, err := certificate.Make(1)
	must.Do(err)
	must.Do(os.WriteFile(filepath.Join(v.Folder, "tls.crt"), []byte(cert), 0o600))
	must.Do(os.WriteFile(filepath.Join(v.Folder, "tls.key"), []byte(key), 0o600))
	v.writeConfig()
	must.Get(v.Start(ctx))
	return v
}

// platform makes 100 signed calls a second to the i-th channel: to the first one on kept connections, to the second one
// on new ones.
func (c *connector) platform(ctx context.Context, i int) *traffic.Platform {
	scheme := "http://"
	if c.Secure {
		scheme = "https://"
	}
	p := &traffic.Platform{
		URL: scheme + c.Server + zalo.DefaultPath, Conversations: 20, Pause: 200 * time.Millisecond, Fresh: i,
		TLS: &tls.Config{InsecureSkipVerify: true},
	}
	p.Start(ctx, traffic.Keys{APIKey: c.Channels[i].APIKeys[0], Secret: c.Channels[i].Secrets[0]})
	return p
}

// count ends a platform's calls and counts them.
func count(p *traffic.Platform) (n tried) {
	p.Stop()
	for _, call := range p.Calls() {
		n.calls++
		if call.Status == http.StatusOK && call.Until.Sub(call.At) <= answerWithin {
			n.inTime++
		}
		n.worst = max(n.worst, call.Until.Sub(call.At))
	}
	return n
}
