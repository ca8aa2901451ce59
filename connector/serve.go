package connector

import (
	"log/slog"
	"net"
	"net/http"

	"xbot.a4b.vn/channel-connector/connector/listener"
)

// serveBounded serves metrics or the admin API, which ask for no key, until the server is closed.
func (p *process) serveBounded(name string, server *http.Server, inner net.Listener, connections int) error {
	server.ErrorLog = slog.NewLogLogger(listener.NewErrorLog(p.log.WithName(name), p.metrics), slog.LevelWarn)
	return listener.New(inner, listener.Options{
		Name: name, Limits: p.headerLimits(connections), Keyless: true, Metrics: p.metrics,
	}).Serve(server)
}

// headerLimits are the same for every listener.
func (p *process) headerLimits(connections int) listener.Limits {
	server := p.current.Load().Server
	return listener.Limits{Connections: connections, HeaderSize: int(server.MaxHeaderSize), HeaderLines: server.MaxHeaderLines}
}
