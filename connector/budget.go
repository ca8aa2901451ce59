package connector

import (
	"fmt"
	"syscall"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// budget divides the descriptors that the process may have open (RLIMIT_NOFILE) and its memory between its parts, so
// that callers can take none from store, sinks, probes and reloads.
type budget struct {
	// files is the limit itself.
	files int
	// store is for tables, logs and folders of the inbox.
	store int
	// sinkConnections may be open to all sinks together, busy and idle.
	sinkConnections int
	// webhook, metrics and admin are the connections of the listeners.
	webhook, metrics, admin int

	// bodies are the bytes of the bodies of calls in flight, and as many are those of the events under way to sinks.
	bodies int64
	// storeCache, storeQueue and memTable are the bytes of the inbox's block cache, of what may wait for its disk, and
	// of one of its two tables in memory.
	storeCache, storeQueue, memTable int64
}

const (
	// minFiles is the least that every part can live with.
	minFiles = 512
	// maxFiles stands for "unlimited"; no part asks for more.
	maxFiles = 1 << 20
	// reserved is for listeners, logs, watches, and the files that a reload reads.
	reserved = 64
	// storeFiles are the most that the inbox opens: tables, and beside them logs, folders and what compactions write.
	storeFiles = 576
	// perSinkConnection: the lookup of a name, or the attempt by a second address, goes on beside a connection.
	perSinkConnection = 2
	// maxProbeConnections is far above the need of scrapes and probes: the more there are, the longer a probe's
	// connection lives while strangers open others.
	maxProbeConnections = 1024
	maxAdminConnections = 64
	// minWebhookConnections leave a few places beside the verified connections.
	minWebhookConnections = 16
)

// What a connection may take of the memory of Go's heap, in bytes: about 40 KiB with the largest header, twice as much
// with TLS, and the collector lets half of it be garbage.
const (
	memoryPerConnection    = 64 << 10
	memoryPerTLSConnection = 128 << 10
	// assumedMemory stands in for the heap's if there is no limit.
	assumedMemory = 256 << 20
)

// The parts of the memory limit that buffers may take. At the operator's default of 256 MiB each is as large as without
// a limit.
const (
	// otherMemory is for everything but bodies, under load. Two fifths of the rest are for the bodies of calls, as much
	// for those under way, and as much for those that wait for the disk: seldom are all three at their bounds.
	otherMemory   = 96 << 20
	maxStoreQueue = 64 << 20
	// storePart is for the block cache, and for one table in memory. With less than minStoreMemory, a table would be
	// written for each large body.
	storePart      = 32
	maxStoreMemory = 8 << 20
	minStoreMemory = 1 << 20
)

// newBudget divides the process's own limit on descriptors, and a memory limit in bytes, 0 for none.
func newBudget(memory int64, cfg *config.Config) (budget, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return budget{}, fmt.Errorf("read the limit on open files: %w", err)
	}
	return divide(int(min(limit.Cur, maxFiles)), memory, cfg)
}

// divide divides files descriptors, and a memory limit in bytes, 0 for none.
func divide(files int, memory int64, cfg *config.Config) (budget, error) {
	if files < minFiles {
		return budget{},
			fmt.Errorf("the process may have %d files open and needs at least %d: raise the limit (ulimit -n, LimitNOFILE=)", files, minFiles)
	}
	b := budget{
		files:           files,
		store:           min(storeFiles, files/4),
		sinkConnections: min(2*cfg.Dispatch.MaxConcurrency, files/4/perSinkConnection),
		metrics:         min(maxProbeConnections, files/16),
		admin:           min(maxAdminConnections, files/32),
	}
	return b.within(memory, cfg), nil
}

// within is the budget with another memory limit, in bytes, 0 for none.
func (b budget) within(memory int64, cfg *config.Config) budget {
	wanted := cfg.Server.MaxConnections
	if wanted == 0 {
		wanted = connectionsIn(memory, cfg.Server.TLS != nil)
	}
	b.webhook = max(minWebhookConnections, min(wanted, b.left()))
	b.bodies, b.storeQueue, b.storeCache = int64(cfg.Server.MaxBufferedBytes), maxStoreQueue, maxStoreMemory
	if memory > 0 {
		part := max((memory-otherMemory)/5*2, largestBody(cfg))
		b.bodies, b.storeQueue = min(b.bodies, part), min(maxStoreQueue, part)
		b.storeCache = min(maxStoreMemory, max(memory/storePart, minStoreMemory))
	}
	b.memTable = b.storeCache
	return b
}

// largestBody is the size of the largest body that a channel takes, in bytes.
func largestBody(cfg *config.Config) (largest int64) {
	for _, c := range cfg.Channels {
		largest = max(largest, int64(c.Webhook.MaxBodySize))
	}
	return largest
}

// left are the descriptors that no other part has.
func (b budget) left() int {
	return b.files - reserved - b.store - b.sinkConnections*perSinkConnection - b.metrics - b.admin
}

// connectionsIn is how many connections a memory limit has room for.
func connectionsIn(memory int64, encrypted bool) int {
	heap := int64(assumedMemory)
	if memory > 0 {
		heap = softLimit(memory)
	}
	if encrypted {
		return int(heap / memoryPerTLSConnection)
	}
	return int(heap / memoryPerConnection)
}
