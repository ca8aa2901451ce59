package connector

import (
	"fmt"
	"math"
	"runtime/debug"
	"syscall"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// budget divides the descriptors that the process may have open (RLIMIT_NOFILE)
// between its parts, so that callers can take none that store, sinks, probes and
// reloads need. It is the one home of this arithmetic.
type budget struct {
	// files is the limit itself.
	files int
	// store is for tables, logs and folders of the inbox.
	store int
	// sinkConnections may be open to all sinks together, busy and idle.
	sinkConnections int
	// webhook, metrics and admin are the connections of the listeners.
	webhook, metrics, admin int
}

const (
	// minFiles is the least that every part can live with.
	minFiles = 512
	// maxFiles stands for "unlimited"; no part asks for more.
	maxFiles = 1 << 20
	// reserved is for listeners, logs, watches, and the files that a reload reads.
	reserved = 64
	// storeFiles are the most that the inbox opens: tables, and beside them logs,
	// folders and what compactions write.
	storeFiles = 576
	// perSinkConnection: the lookup of a name, or the attempt by a second address,
	// goes on beside a connection.
	perSinkConnection = 2
	// maxProbeConnections is far above what scrapes and probes need: the more,
	// the longer a probe's connection lives while strangers open others.
	maxProbeConnections = 1024
	maxAdminConnections = 64
	// minWebhookConnections leave a few places beside the verified connections.
	minWebhookConnections = 16
)

// What a connection may take of the process's memory limit, in bytes: about 40
// KiB with the largest header, twice as much with TLS, and the collector lets
// half of it be garbage.
const (
	memoryPerConnection    = 64 << 10
	memoryPerTLSConnection = 128 << 10
	// assumedMemory stands in for a limit where none is set (GOMEMLIMIT).
	assumedMemory = 256 << 20
)

// newBudget divides the process's own limits.
func newBudget(cfg *config.Config) (budget, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return budget{}, fmt.Errorf("read the limit on open files: %w", err)
	}
	return divide(int(min(limit.Cur, maxFiles)), debug.SetMemoryLimit(-1), cfg)
}

// divide divides files descriptors, and a memory limit in bytes.
func divide(files int, memory int64, cfg *config.Config) (budget, error) {
	if files < minFiles {
		return budget{}, fmt.Errorf("the process may have %d files open and needs at least %d: raise the limit (ulimit -n, LimitNOFILE=)", files, minFiles)
	}
	b := budget{
		files:           files,
		store:           min(storeFiles, files/4),
		sinkConnections: min(2*cfg.Dispatch.MaxConcurrency, files/4/perSinkConnection),
		metrics:         min(maxProbeConnections, files/16),
		admin:           min(maxAdminConnections, files/32),
	}
	wanted := cfg.Server.MaxConnections
	if wanted == 0 {
		wanted = connectionsIn(memory, cfg.Server.TLS != nil)
	}
	b.webhook = max(minWebhookConnections, min(wanted, b.left()))
	return b, nil
}

// left are the descriptors that no other part has.
func (b budget) left() int {
	return b.files - reserved - b.store - b.sinkConnections*perSinkConnection - b.metrics - b.admin
}

// connectionsIn is how many connections a memory limit has room for.
func connectionsIn(memory int64, encrypted bool) int {
	if memory == math.MaxInt64 {
		memory = assumedMemory
	}
	if encrypted {
		return int(memory / memoryPerTLSConnection)
	}
	return int(memory / memoryPerConnection)
}
