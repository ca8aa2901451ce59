// Package connector puts the parts together: it starts them, hands them each new version of the configuration, and
// stops them, in order.
//
//	start:   configuration, inbox, deliveries, listeners, ready
//	reload:  deliveries, then the way in, as one version
//	stop:    not ready; calls still served while endpoints drain; listener
//	         closed, calls in flight finish; deliveries; inbox; probes and
//	         metrics last
package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"xbot.a4b.vn/channel-connector/connector/admin"
	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/delivery"
	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/sink"
	"xbot.a4b.vn/channel-connector/connector/telemetry"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/connector/webhook"
)

// process is a running connector.
type process struct {
	begun    time.Time
	log      logr.Logger
	level    *slog.LevelVar
	registry *prometheus.Registry
	metrics  *telemetry.Metrics
	memory   *memory
	budget   budget
	places   *sink.Places
	current  atomic.Pointer[config.Config]
	ready    atomic.Bool
	ending   *ending
	// resizing is held while the parts get their shares of the memory.
	resizing sync.Mutex
	// told are the lacks and warnings of the version in use, without their lines.
	told map[config.Problem]bool
	// workers are those of the channels in use.
	workers *channel.Workers

	inbox      inbox.Inbox
	health     *inboxHealth
	dispatcher *delivery.Dispatcher
	handler    *webhook.Handler
	webhook    *webhook.Server
	admin      *http.Server
	probes     *http.Server
}

// listeners are all bound before any is served, so that a port in use ends the start with a clear error.
type listeners struct{ webhook, admin, probes net.Listener }

func (l listeners) close() (err error) {
	for _, bound := range []net.Listener{l.webhook, l.admin, l.probes} {
		if bound != nil {
			err = errors.Join(err, bound.Close())
		}
	}
	return err
}

// Run serves the configuration file at path until ctx ends, then stops in order and returns nil. An error means that
// the start failed, that a part ended by itself, or that the stop did not end in time. In the last case a part, such as
// a disk, still hangs: the caller ends the process.
//
// Run sets level to the configuration's log.level, at every change of it.
func Run(ctx context.Context, log logr.Logger, level *slog.LevelVar, path string) error {
	p := newProcess(log, level)
	return p.ending.within(ctx, func() error { return p.run(ctx, path) })
}

func (p *process) run(ctx context.Context, path string) error {
	cfg, err := config.Load(path, types.Config())
	if err != nil {
		return err
	}
	p.workers = channel.NewWorkers(context.WithoutCancel(ctx)) // they work while calls are still served
	defer p.workers.Close()
	p.useLevel(cfg)
	p.ending.useGracePeriod(time.Duration(cfg.Stop.GracePeriod))
	p.memory.look()
	if p.budget, err = newBudget(p.memory.divisible(), cfg); err != nil {
		return err
	}
	if err := p.open(ctx, cfg); err != nil {
		return err
	}
	// Nothing is delivered before the addresses are bound: a start that fails must wait for no sink.
	l, err := listen(ctx, cfg)
	if err != nil {
		return errors.Join(err, p.close())
	}
	if err := p.use(ctx, cfg); err != nil {
		return errors.Join(err, l.close(), p.close())
	}
	return p.serve(ctx, path, l)
}

// useLevel sets the log level that a version names.
func (p *process) useLevel(cfg *config.Config) {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.Log.Level)) // checked by Load: these are slog's names
	p.level.Set(level)
}

func newProcess(log logr.Logger, level *slog.LevelVar) *process {
	p := &process{begun: time.Now(), log: log, level: level, registry: prometheus.NewRegistry(), ending: newEnding(log)}
	p.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	p.metrics = telemetry.New(p.registry)
	p.memory = newMemory(p.metrics.MemoryLimit, log.WithName("memory"))
	return p
}

// open opens the inbox and builds every part on top of it; none is in use yet.
func (p *process) open(ctx context.Context, cfg *config.Config) (err error) {
	if p.inbox, err = p.openInbox(ctx, cfg); err != nil {
		return err
	}
	p.health = newInboxHealth(p.inbox)
	p.places = sink.NewPlaces(p.budget.sinkConnections, p.metrics.SinkConnections)
	p.metrics.SinkConnectionsLimit.Set(float64(p.budget.sinkConnections))
	p.dispatcher = delivery.New(p.inbox, min(cfg.Dispatch.MaxConcurrency, p.budget.sinkConnections),
		int(p.budget.bodies), p.metrics, p.log.WithName("delivery"))
	p.handler = webhook.NewHandler(webhook.Options{
		Inbox: p.health, Metrics: p.metrics, Log: p.log.WithName("webhook"), Now: time.Now,
		MaxInFlight: cfg.Server.MaxInFlight, MaxBufferedBytes: p.budget.bodies,
	})
	p.current.Store(cfg)
	p.webhook = webhook.NewServer(p.handler, p.headerLimits(p.budget.webhook), p.log.WithName("webhook"))
	p.admin = admin.NewServer(admin.Connector{
		Inbox: p.inbox, Delivery: p.dispatcher.Status, Config: p.current.Load,
		Metrics: p.metrics, Log: p.log.WithName("admin"),
	})
	p.probes = p.newProbes()
	scrapes := context.WithoutCancel(ctx)
	p.registry.MustRegister(telemetry.InboxState(func(usage func(int64, int64), channel func(string, int64, int64, time.Duration)) {
		usage(inbox.Usage(p.inbox))
		for _, c := range p.present(scrapes) {
			channel(c.Name, c.Pending, c.DeadLetters, c.OldestPendingAge)
		}
	}))
	return nil
}

// inboxPoll is the time between two tries to open an inbox in use.
const inboxPoll = 50 * time.Millisecond

// openInbox opens the inbox. If another process uses it, that may be the previous connector on its way out: it gets the
// time that a connector may take to end.
func (p *process) openInbox(ctx context.Context, cfg *config.Config) (inbox.Inbox, error) {
	grace := time.Duration(cfg.Stop.GracePeriod)
	late := time.After(grace)
	for told := false; ; told = true {
		opened, err := inboxTypes[cfg.Inbox.Type](cfg.Inbox, p.budget, p.metrics, p.log)
		if !errors.Is(err, inbox.ErrInUse) {
			return opened, err
		}
		if local, ok := cfg.Inbox.Settings.(interface{ Folder() string }); ok && !told {
			p.log.Info("waiting for the inbox, which another process uses", "path", local.Folder(), "atMost", grace.String())
		}
		select {
		case <-time.After(inboxPoll):
		case <-late:
			return nil, err
		case <-ctx.Done():
			return nil, err
		}
	}
}

// use puts a version of the configuration into use. What can fail comes first, and then everything stays as it was.
func (p *process) use(ctx context.Context, cfg *config.Config) (err error) {
	ways, routes := make([]delivery.Channel, len(cfg.Channels)), make([]webhook.Channel, len(cfg.Channels))
	version := p.workers.Version()
	for i, c := range cfg.Channels {
		ways[i] = wayOut(c, p.places)
		if routes[i], err = wayIn(c, channel.Environment{Version: version, Log: p.log.WithName("channel"), Metrics: p.metrics}); err != nil {
			return err
		}
	}
	if err := p.dispatcher.Use(ctx, ways); err != nil {
		return err
	}
	p.useLevel(cfg)
	if cfg.Server.TLS != nil {
		p.webhook.UseCertificate(cfg.Server.TLS.Certificate())
	}
	version.Use()
	awaitStart(ctx, version)
	p.handler.Use(webhook.NewRoutes(routes))
	p.metrics.Retain(names(cfg))
	p.tell(cfg)
	for _, c := range cfg.Channels {
		p.metrics.Use(c.Name).UseSignatureMode(string(c.Settings.(channel.Settings).Signing().Mode))
	}
	p.current.Store(cfg)
	p.bound(cfg)
	p.resize() // the largest body may be another one
	p.metrics.UseConfig(cfg.Digest())
	// Reading a large file leaves many times its size behind, and hours of idling may follow.
	debug.FreeOSMemory()
	return nil
}

// startPatience bounds the wait for workers that begin with a version. Until then the version before serves.
const startPatience = 2 * time.Second

func awaitStart(ctx context.Context, version *channel.Version) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	version.AwaitStart(ctx)
}

// bound gives the inbox the bound of a version, if it has one.
func (p *process) bound(cfg *config.Config) {
	settings, has := cfg.Inbox.Settings.(interface{ Bound() int64 })
	if store, ok := p.inbox.(inbox.Bounded); ok && has {
		store.SetBound(settings.Bound())
	}
}

// tell logs the lacks and warnings that the version before did not have: a change of one channel of a thousand logs
// nothing about the others.
func (p *process) tell(cfg *config.Config) {
	// logr has no level for warnings, slog has.
	log, told := slog.New(logr.ToSlogHandler(p.log)), make(map[config.Problem]bool)
	once := func(problems []config.Problem, log func(message string, args ...any), message, key string) {
		for _, w := range problems {
			same := w
			same.Line = 0 // moves with what stands above
			told[same] = true
			if !p.told[same] {
				log(message, "file", w.File, "line", w.Line, "path", w.Path, key, w.Message)
			}
		}
	}
	once(cfg.Lacks(), log.Error, "a secret is not in use", "problem")
	once(cfg.Warnings(), log.Warn, "configuration warning", "warning")
	p.told = told
}

// names are those of the channels of a version.
func names(cfg *config.Config) map[string]bool {
	names := make(map[string]bool, len(cfg.Channels))
	for _, c := range cfg.Channels {
		names[c.Name] = true
	}
	return names
}

// serve serves until ctx ends or a part fails, and stops.
func (p *process) serve(ctx context.Context, path string, l listeners) error {
	serving, failed := errgroup.WithContext(ctx)
	serving.Go(func() error { return p.webhook.Serve(l.webhook) })
	serving.Go(func() error { return p.serveBounded("admin", p.admin, l.admin, p.budget.admin) })
	serving.Go(func() error { return p.serveBounded("metrics", p.probes, l.probes, p.budget.metrics) })
	serving.Go(func() error { return p.watch(failed, path) })
	serving.Go(func() error { return p.health.watch(failed) })
	serving.Go(func() error { return p.followMemory(failed) })
	p.ready.Store(true)
	p.log.Info("ready", "after", time.Since(p.begun).Round(time.Millisecond).String(),
		"webhook", l.webhook.Addr().String(), "metrics", l.probes.Addr().String(),
		"admin", l.admin.Addr().String(), "channels", len(p.current.Load().Channels), "config", p.current.Load().Digest())
	<-failed.Done()
	err := p.stop(context.WithoutCancel(ctx))
	return errors.Join(serving.Wait(), err)
}

// useTimeout bounds a reload. The inbox may hang, and the next version may take a key away.
const useTimeout = 10 * time.Second

// watch applies every good new version of the configuration until ctx ends.
func (p *process) watch(ctx context.Context, path string) error {
	watcher := &config.Watcher{
		Path: path,
		Log:  p.log.WithName("config"),
		Apply: func(cfg *config.Config) error {
			within, cancel := context.WithTimeout(ctx, useTimeout)
			defer cancel()
			return p.use(within, cfg)
		},
		Observe: func(err error) {
			result, successful := "applied", 1.0 // also if the files went back to those in use
			if err != nil {
				result, successful = "refused", 0
			}
			p.metrics.Reloads.WithLabelValues(result).Inc()
			p.metrics.ReloadSuccessful.Set(successful)
		},
	}
	return watcher.Run(ctx, p.current.Load())
}

// present describes the channels of the inbox that can be read.
func (p *process) present(ctx context.Context) []inbox.ChannelStats {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	present, _ := inbox.Present(ctx, p.inbox, names(p.current.Load()))
	return present
}

// listen binds every address, or none.
func listen(ctx context.Context, cfg *config.Config) (l listeners, err error) {
	for _, wanted := range []struct {
		field, address string
		listen         func(ctx context.Context, address string) (net.Listener, error)
		listener       *net.Listener
	}{
		{"server.address", cfg.Server.Address, listenTCP, &l.webhook},
		{"admin.address", cfg.Admin.Address, listenTCP, &l.admin},
		{"admin.socket", cfg.Admin.Socket, admin.Listen, &l.admin},
		{"metrics.address", cfg.Metrics.Address, listenTCP, &l.probes},
	} {
		if wanted.address == "" {
			continue // the other one of the section admin is set
		}
		bound, err := wanted.listen(ctx, wanted.address)
		if err != nil {
			_ = l.close()
			return listeners{}, fmt.Errorf("%s: %w", wanted.field, err)
		}
		*wanted.listener = bound
	}
	return l, nil
}

func listenTCP(ctx context.Context, address string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
}
