package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/must"
	"xbot.a4b.vn/channel-connector/test/kit/process"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
	"xbot.a4b.vn/channel-connector/test/kit/wallclock"
)

// channels is the number of them.
const channels = 4

// campaign is one under way.
type campaign struct {
	options
	must.Scope
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
	// copy is a damaged inbox that is not examined yet.
	copy    *damaged
	starts  []float64
	calls   []traffic.Call
	counts  map[string]int
	attacks tally
	// verdict sums up those of the channels.
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
func (c *campaign) run(ctx context.Context) {
	c.prepare(ctx)
	c.Cleanup(c.connector.kill)
	c.restart(ctx)
	attackers := c.startAttackers(ctx)
	c.endure(ctx)
	attackers.Dismiss()
	defer time.AfterFunc(time.Minute, attackers.Kill).Stop()
	if err := attackers.Answer(&c.attacks); err != nil {
		must.Do(fmt.Errorf("the attackers' report: %w", err))
	}
	c.settle(context.WithoutCancel(ctx)) // an interrupted campaign is judged, too
}

func (c *campaign) prepare(ctx context.Context) {
	if err := mountDisk(c.disk()); err != nil {
		fmt.Fprintf(os.Stderr, "The disk is not filled in this campaign, since none can be mounted here: %v\n", err)
	} else {
		c.mounted = true
		c.Cleanup(func() { must.Do(unmountDisk(c.disk())) })
	}
	binary := must.Get(wallclock.Build(ctx, c.folder))
	c.clock = wallclock.Clock(filepath.Join(c.folder, "clock"))
	c.log = &logJudge{promises: c.promises}
	c.connector = newConnector(binary, c.folder, filepath.Join(c.disk(), "inbox"), process.GOMEMLIMIT, c.clock.Env())
	c.connector.writesTo(c.log)
	c.connector.SinkKey = "Bearer-" + newKeys().APIKey
	c.log.hide(bodyMark, userMark, sinkMark, c.connector.SinkKey)
	for i := range channels {
		ch := newChannel(ctx, fmt.Sprintf("channel-%d", i), c.connector.Server)
		c.log.hide(ch.leaked, ch.keys.APIKey, ch.keys.Secret)
		c.channels = append(c.channels, ch)
		c.connector.Channels = append(c.connector.Channels, ch.settings(ch.doors[0]))
	}
	must.Do(c.clock.Set(0))
	c.connector.writeConfig()
}

func (c *campaign) startAttackers(ctx context.Context) *process.Worker {
	o := orders{
		Webhook: c.connector.Server, Metrics: c.connector.Metrics, Strangers: campaigners(), Held: c.connections, Rate: c.rate,
	}
	for _, ch := range c.channels {
		o.Keys, o.Captured = append(o.Keys, ch.leaked), append(o.Captured, ch.captured(ctx))
	}
	return startAttackers(ctx, o)
}

// endure lets everything happen at once, for the time of -for.
func (c *campaign) endure(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.duration)
	var aside sync.WaitGroup
	for i, ch := range c.channels {
		ch.platform.Start(context.WithoutCancel(ctx), ch.keys)
		aside.Go(func() { changeMoods(ctx, ch.bot, newRandom(c.seed, uint64(i+1))) })
	}
	aside.Go(func() { c.watch(ctx) })
	defer func() {
		cancel()
		aside.Wait()
		for _, ch := range c.channels {
			ch.platform.Stop()
			c.calls = append(c.calls, ch.platform.Calls()...)
		}
	}()
	c.weather(ctx)
	must.Do(c.clock.Set(0))
}

// watch probes the connector as kubelet does, measures it, and reports progress.
func (c *campaign) watch(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for n := 1; ctx.Err() == nil; n++ {
		await(ctx, tick.C)
		if used, err := c.connector.Life().Usage(); err == nil { // otherwise it is between two lives
			c.memory, c.files = max(c.memory, used.Peak), max(c.files, used.Files)
		}
		if n%4 == 0 {
			c.probe()
			c.countRefusals(ctx)
		}
		if n%240 == 0 {
			fmt.Fprintf(os.Stderr, "%s  %d acknowledged, at most %.0f MiB\n", time.Now().Format(time.TimeOnly), c.acknowledged(), c.memory)
		}
	}
}

func (c *campaign) probe() {
	probe := traffic.Call{At: time.Now()}
	resp, err := kubelet.Get(c.connector.ReadyURL)
	if probe.Err = err; err == nil {
		probe.Status = resp.StatusCode
		_ = resp.Body.Close()
	}
	probe.Until = time.Now()
	c.probes = append(c.probes, probe)
}

// countRefusals adds the refusals since the last time, over all lives.
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
func (c *campaign) settle(ctx context.Context) {
	if err := c.connector.becomes(ctx, "inbox_backlog_events", is(0), 2*time.Minute); err != nil {
		c.promises.brokenf(promiseSound, "not everything was delivered: %v", err)
	}
	c.stopConnector()
	check := exec.CommandContext(ctx, c.connector.binary, "inbox", "check", "--path", c.connector.Inbox)
	if out, err := check.CombinedOutput(); err != nil {
		c.promises.brokenf(promiseSound, "%v: %s", err, out)
	}
	held, exit := export(ctx, c.connector.binary, c.connector.Inbox)
	if exit != 0 {
		must.Do(fmt.Errorf("the export at the end: exit code %d", exit))
	}
	for _, ch := range c.channels {
		c.judge(ch, held)
	}
}
