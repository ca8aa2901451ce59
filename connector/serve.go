package connector

import (
	"errors"
	"log/slog"
	"net"
	"net/http"

	"xbot.a4b.vn/channel-connector/connector/listener"
)

// serveBounded serves metrics or the admin API, which ask for no key, until the
// server is closed.
func (p *process) serveBounded(name string, server *http.Server, inner net.Listener, connections int) error {
	limits := p.headerLimits(connections)
	server.MaxHeaderBytes = limits.HeaderSize
	server.ErrorLog = slog.NewLogLogger(listener.NewErrorLog(p.log.WithName(name), p.metrics), slog.LevelWarn)
	bounded := listener.New(inner, listener.Options{Name: name, Limits: limits, Keyless: true, Metrics: p.metrics})
	if err := server.Serve(bounded); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// headerLimits are the same for every listener.
func (p *process) headerLimits(connections int) listener.Limits {
	server := p.current.Load().Server
	return listener.Limits{Connections: connections, HeaderSize: int(server.MaxHeaderSize), HeaderLines: server.MaxHeaderLines}
}
