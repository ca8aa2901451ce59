package channel

import (
	"context"
	"sync"

	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// Worker works beside the calls of channels: it fetches the keys of tokens, for example. It is used by many goroutines
// at once.
type Worker interface {
	// Run works until ctx ends.
	Run(ctx context.Context)
}

// Starter is a Worker that needs a moment before it is of use: calls are refused until it has fetched keys, for example.
type Starter interface {
	Worker
	// Started is closed once that is over.
	Started() <-chan struct{}
}

// Environment is what a channel has of its process. The zero Environment is that of a channel whose calls are not read,
// such as one that is opened to learn of its pages.
type Environment struct {
	// Version is the version of the configuration that the channel is opened for.
	Version *Version
	Log     logr.Logger
	Metrics *telemetry.Metrics
}

// Worker returns the worker with a key, which begins with the name of the type. Channels and versions with the same key
// share it; the first one makes it. It runs once the version is in use, and until one is that does not ask for it.
func (e Environment) Worker(key string, create func() Worker) Worker {
	if e.Version == nil {
		return create()
	}
	return e.Version.worker(key, create)
}

// Workers are those of a process. They belong to the goroutine that puts versions into use.
type Workers struct {
	inUse   map[string]*working
	running sync.WaitGroup
	// start starts work, and returns what ends it.
	start func(Worker) context.CancelFunc
}

// NewWorkers returns no workers. Those that there will be end with ctx, at the latest.
func NewWorkers(ctx context.Context) *Workers {
	w := &Workers{}
	w.start = func(one Worker) context.CancelFunc {
		within, stop := context.WithCancel(ctx)
		w.running.Go(func() { one.Run(within) })
		return stop
	}
	return w
}

// working is a worker and the end of its work, which is nil before the begin.
type working struct {
	Worker

	stop context.CancelFunc
}

// Version begins a version of the configuration.
func (w *Workers) Version() *Version { return &Version{workers: w, wanted: map[string]*working{}} }

// Close ends all work, and waits for it.
func (w *Workers) Close() {
	w.Version().Use()
	w.running.Wait()
}

// Version is a version of the configuration: its channels ask for workers when they are opened.
type Version struct {
	workers *Workers
	wanted  map[string]*working
	// starting are those that began with the version.
	starting []Starter
}

func (v *Version) worker(key string, create func() Worker) Worker {
	if v.wanted[key] == nil {
		v.wanted[key] = v.workers.inUse[key]
	}
	if v.wanted[key] == nil {
		v.wanted[key] = &working{Worker: create()}
	}
	return v.wanted[key].Worker
}

// Use puts the version into use: the workers that it wants run, and the others end.
func (v *Version) Use() {
	for key, before := range v.workers.inUse {
		if v.wanted[key] != before {
			before.stop()
		}
	}
	for _, w := range v.wanted {
		if w.stop == nil {
			w.stop = v.workers.start(w.Worker)
			if starter, ok := w.Worker.(Starter); ok {
				v.starting = append(v.starting, starter)
			}
		}
	}
	v.workers.inUse = v.wanted
}

// AwaitStart waits until the workers that began with the version have started, or ctx ends.
func (v *Version) AwaitStart(ctx context.Context) {
	for _, one := range v.starting {
		select {
		case <-one.Started():
		case <-ctx.Done():
			return
		}
	}
}
