package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
	"xbot.a4b.vn/channel-connector/test/kit/wallclock"
)

// channels is how many there are.
const channels = 4

// campaign is one under way.
type campaign struct {
	options
	folder    string
	mounted   bool
	random    *rand.Rand
	promises  *promises
	log       *logJudge
	clock     wallclock.Clock
	connector *connector
	channels  []*channel

	// last is the latest disturbance; disturbances are all of them.
	last         string
	disturbances []disturbance
	starts       []float64
	calls        calls
	counts       map[string]int

	attacks     tally
	verdict     traffic.Verdict
	deadLetters int

	// What watch has seen.
	probes  []traffic.Call
	memory  float64
	files   int
	refused map[string]float64
	scraped map[string]float64
}

func (c *campaign) disk() string { return filepath.Join(c.folder, "disk") }

// count counts one of a kind, for the table.
func (c *campaign) count(what string) { c.counts[what]++ }

func (c *campaign) acknowledged() (sum int) {
	for _, ch := range c.channels {
		for _, n := range ch.platform.Acknowledged() {
			sum += n
		}
	}
	return sum
}

// run builds, attacks, settles and judges.
func (c *campaign) run(ctx context.Context) (err error) {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	if c.mounted {
		defer func() { err = errors.Join(err, unmountDisk(c.disk())) }()
	}
	defer c.connector.kill()
	if err := c.restart(ctx); err != nil {
		return err
	}
	attackers, err := c.startAttackers(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(c.endure(ctx), c.endAttackers(attackers)); err != nil {
		return err
	}
	return c.settle(context.WithoutCancel(ctx)) // an interrupted campaign is judged, too
}

func (c *campaign) prepare(ctx context.Context) error {
	if err := mountDisk(c.disk()); err != nil {
		fmt.Fprintf(os.Stderr, "The disk is not filled in this campaign, since none can be mounted here: %v\n", err)
	} else {
		c.mounted = true
	}
	binary, err := wallclock.Build(ctx, c.folder)
	if err != nil {
		return err
	}
	c.clock = wallclock.Clock(filepath.Join(c.folder, "clock"))
	c.log = &logJudge{promises: c.promises, minutes: make(map[int64]int)}
	inbox := filepath.Join(c.disk(), "inbox")
	if c.connector, err = newConnector(binary, c.folder, inbox, process.GOMEMLIMIT, c.clock.Env()); err != nil {
		return err
	}
	c.connector.writesTo(c.log)
	c.connector.SinkKey = "Bearer-" + newKeys().APIKey
	c.log.hide(bodyMark, userMark, sinkMark, c.connector.SinkKey)
	for i := range channels {
		ch, err := newChannel(ctx, fmt.Sprintf("channel-%d", i), c.connector.Server)
		if err != nil {
			return err
		}
		c.log.hide(ch.leaked, ch.keys.APIKey, ch.keys.OASecretKey)
		c.channels = append(c.channels, ch)
		c.connector.Channels = append(c.connector.Channels, ch.settings(ch.doors[0]))
	}
	return errors.Join(c.clock.Set(0), c.connector.writeConfig())
}

func (c *campaign) startAttackers(ctx context.Context) (*attackers, error) {
	o := orders{Webhook: c.connector.Server, Metrics: c.connector.Metrics, Strangers: c.connections, Rate: c.rate}
	for _, ch := range c.channels {
		captured, err := ch.captured(ctx)
		if err != nil {
			return nil, err
		}
		o.Keys, o.Captured = append(o.Keys, ch.leaked), append(o.Captured, captured)
	}
	return startAttackers(attackersCommand, o)
}

// endAttackers ends the attack and takes its outcomes.
func (c *campaign) endAttackers(a *attackers) error {
	_ = a.orders.Close()
	select {
	case <-a.Done():
	case <-time.After(time.Minute):
		a.Kill()
		return errors.New("the attackers did not end")
	}
	if err := json.Unmarshal(a.out.Bytes(), &c.attacks); err != nil {
		return fmt.Errorf("the attackers' report: %w", err)
	}
	return nil
}

// endure lets everything happen at once, for the time that was asked for.
func (c *campaign) endure(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.duration)
	defer cancel()
	var aside sync.WaitGroup
	for i, ch := range c.channels {
		ch.platform.Start(context.WithoutCancel(ctx), ch.keys)
		aside.Go(func() { changeMoods(ctx, ch.bot, newRandom(c.seed, uint64(i+1))) })
	}
	aside.Go(func() { c.watch(ctx) })
	err := c.weather(ctx)
	cancel()
	aside.Wait()
	err = errors.Join(err, c.clock.Set(0))
	for _, ch := range c.channels {
		ch.platform.Stop()
		c.calls.add(ch.platform.Calls())
	}
	return err
}

// watch probes the connector as kubelet does, measures it, and tells how it goes.
func (c *campaign) watch(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for n := 1; ctx.Err() == nil; n++ {
		await(ctx, tick.C)
		if used, err := c.connector.Life().Usage(); err == nil { // otherwise it is between two lives
			c.memory, c.files = max(c.memory, used.Peak), max(c.files, used.Files)
		}
		if n%4 == 0 {
			c.probe(ctx)
			c.countRefusals(ctx)
		}
		if n%240 == 0 {
			fmt.Fprintf(os.Stderr, "%s  %d acknowledged, at most %.0f MiB\n", time.Now().Format(time.TimeOnly), c.acknowledged(), c.memory)
		}
	}
}

func (c *campaign) probe(ctx context.Context) {
	// It is kubelet's time-out; the campaign's end cuts no probe short.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	probe := traffic.Call{At: time.Now()}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.connector.Metrics+"/readyz", http.NoBody)
	if err != nil {
		return
	}
	resp, err := fresh.Do(req)
	if probe.Err = err; err == nil {
		probe.Status = resp.StatusCode
		_ = resp.Body.Close()
	}
	probe.Until = time.Now()
	c.probes = append(c.probes, probe)
}

// countRefusals adds what was refused since the last time, over all lives.
func (c *campaign) countRefusals(ctx context.Context) {
	families, err := c.connector.Scrape(ctx)
	if err != nil {
		return // between two lives
	}
	now := make(map[string]float64)
	for _, m := range families["xbot_connector_webhook_refused_total"].GetMetric() {
		for _, label := range m.GetLabel() {
			if label.GetName() == "reason" {
				now[label.GetValue()] += m.GetCounter().GetValue()
			}
		}
	}
	for reason, n := range now {
		since := n - c.scraped[reason]
		if since < 0 {
			since = n // another life
		}
		c.refused[reason] += since
	}
	c.scraped = now
}

// settle lets everything be delivered, stops, and judges.
func (c *campaign) settle(ctx context.Context) error {
	if err := c.connector.becomes(ctx, "inbox_backlog_events", is(0), 2*time.Minute); err != nil {
		c.promises.brokenf(promiseSound, "not everything was delivered: %v", err)
	}
	c.stopConnector()
	check := exec.CommandContext(ctx, c.connector.binary, "inbox", "check", "--path", c.connector.Inbox)
	if out, err := check.CombinedOutput(); err != nil {
		c.promises.brokenf(promiseSound, "%v: %s", err, out)
	}
	held, exit, err := export(ctx, c.connector.binary, c.connector.Inbox)
	if err != nil || exit != 0 {
		return fmt.Errorf("the export at the end: exit code %d, %w", exit, err)
	}
	for _, ch := range c.channels {
		c.judge(ch, held)
	}
	return nil
}
