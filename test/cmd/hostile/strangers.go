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
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// memoryBound is the operator's default limit, in bytes.
const memoryBound = 256 << 20

// stage is what the floods have in common.
type stage struct {
	binary, folder string
	lasts          time.Duration
}

// strangersMain runs one flood after the other.
func strangersMain(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("hostile strangers", flag.ExitOnError)
	only := flags.String("attack", "", "only the attacks whose names match this expression")
	binary := flags.String("binary", "", "the connector to attack; without it, it is built")
	lasts := flags.Duration("for", 30*time.Second, "how long each attack lasts")
	_ = flags.Parse(args) // it ends the process on an error
	chosen, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	s := stage{binary: *binary, lasts: *lasts}
	if s.folder, err = os.MkdirTemp("", "strangers-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.folder)) }()
	if s.binary == "" {
		if s.binary, err = process.Build(ctx, s.folder, "connector"); err != nil {
			return err
		}
	}
	if s.binary, err = filepath.Abs(s.binary); err != nil {
		return err
	}
	missed, err := s.floodAll(ctx, chosen)
	if err == nil && missed > 0 {
		return fmt.Errorf("%d attacks hurt: asked are %.1f %% of calls within %v and a peak below %d MiB", missed, asked, answerWithin, askedMiB)
	}
	return err
}

// floodAll runs every chosen flood, in plain text and with TLS, and counts those that
// hurt.
func (s stage) floodAll(ctx context.Context, chosen *regexp.Regexp) (missed int, err error) {
	fmt.Println(heading)
	for _, secure := range []bool{false, true} {
		for _, f := range floods {
			f.Secure = secure
			if !chosen.MatchString(f.name()) || (f.SecureOnly && !secure) {
				continue
			}
			r, err := s.flood(ctx, f)
			if err != nil {
				return missed, fmt.Errorf("%s: %w", f.name(), err)
			}
			fmt.Println(r)
			if !r.met() {
				missed++
			}
		}
	}
	return missed, nil
}

// flood runs one flood against a connector of its own.
func (s stage) flood(ctx context.Context, f flood) (r result, err error) {
	v, err := s.start(ctx, f.Secure)
	if v != nil {
		defer func() { err = errors.Join(err, v.close()) }()
	}
	if err != nil {
		return r, err
	}
	kept, fresh := v.platform(ctx, 0), v.platform(ctx, 1)
	await(ctx, time.After(time.Second)) // the kept connections are verified by then
	attackers, err := f.start(v.Server, v.Metrics)
	defer func() {
		for _, attacker := range attackers {
			attacker.Kill()
		}
	}()
	if err != nil {
		return r, err
	}
	select {
	case <-time.After(s.lasts):
		var used process.Usage
		used, err = v.Life().Usage()
		r.peakMiB = used.Peak
	case <-v.Life().Done():
		r.died = true
	case <-ctx.Done():
		err = ctx.Err()
	}
	r.attack, r.kept, r.fresh = f.name(), count(kept), count(fresh)
	return r, err
}

// victim is a connector that strangers attack, in a memory cgroup where one can be made,
// or else with the GOMEMLIMIT that such a one comes to.
type victim struct {
	*connector
	group *cgroup.Group // nil: then the peak alone tells
	bot   *traffic.Bot
	keys  traffic.Keys
}

// start starts a connector with an inbox of its own, and waits until it is ready.
func (s stage) start(ctx context.Context, secure bool) (v *victim, err error) {
	folder, err := os.MkdirTemp(s.folder, "connector-")
	if err != nil {
		return nil, err
	}
	v = &victim{keys: newKeys()}
	if v.connector, err = newConnector(s.binary, folder, "inbox"); err != nil {
		return nil, err
	}
	if v.bot, err = traffic.NewBot(ctx, "127.0.0.1"); err != nil {
		return nil, err
	}
	switch v.group, err = cgroup.New(filepath.Base(folder), memoryBound); {
	case err == nil:
		v.enter = v.group.Enter
	case errors.Is(err, cgroup.ErrUnavailable):
		v.environment = []string{process.GOMEMLIMIT}
	default:
		return v, err
	}
	v.Secure, v.SinkKey = secure, newKeys().APIKey
	for _, name := range []string{"kept", "fresh"} {
		v.Channels = append(v.Channels, channelSettings{name, v.bot.URL(), []string{name + v.keys.APIKey}, []string{v.keys.OASecretKey}})
	}
	if err := errors.Join(v.writeCertificate(), v.writeConfig()); err != nil {
		return v, err
	}
	_, err = v.Start(ctx)
	return v, err
}

func (v *victim) writeCertificate() error {
	cert, key, err := certificate.Make(1)
	return errors.Join(err, os.WriteFile(filepath.Join(v.Folder, "tls.crt"), []byte(cert), 0o600),
		os.WriteFile(filepath.Join(v.Folder, "tls.key"), []byte(key), 0o600))
}

func (v *victim) close() error {
	v.Kill()
	err := v.bot.Close()
	if v.group != nil {
		err = errors.Join(err, v.group.Remove())
	}
	return err
}

// platform makes 100 signed calls a second to the i-th channel: to the first one on kept
// connections, to the second one on new ones.
func (v *victim) platform(ctx context.Context, i int) *traffic.Platform {
	scheme := "http://"
	if v.Secure {
		scheme = "https://"
	}
	p := &traffic.Platform{
		URL: scheme + v.Server + zalo.DefaultPath, Conversations: 20, Pause: 200 * time.Millisecond, Fresh: i,
		TLS: &tls.Config{InsecureSkipVerify: true},
	}
	p.Start(ctx, traffic.Keys{APIKey: v.Channels[i].APIKeys[0], OASecretKey: v.keys.OASecretKey})
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
