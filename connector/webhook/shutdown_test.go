package webhook

import (
	"context"
	"net"
	"testing"
)

func TestDrainAndShutdown(t *testing.T) {
	f := newFixture(t, nil, newChannel())
	server, address, served := f.start(t, nil)
	target := urlOn(address)

	idle, reader, uri := dial(t, target)
	probe := "POST " + uri + " HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
	sendf(t, idle, "%s", probe)
	if response, _ := receive(t, reader); response.StatusCode != 200 || response.Close {
		t.Errorf("before: %d, close %v", response.StatusCode, response.Close)
	}
	server.Drain()
	sendf(t, idle, "%s", probe) // on the connection that was idle
	if response, _ := receive(t, reader); response.StatusCode != 200 || !response.Close {
		t.Errorf("draining: %d, close %v", response.StatusCode, response.Close)
	}

	f.inbox.block = make(chan struct{})
	late, lateReader, _ := dial(t, target) // new connections are still served
	body, signature := message("m")
	sendf(t, late, signedCall, uri, signature, len(body), body)
	<-f.inbox.entered
	stopped := make(chan error, 1)
	go func() { stopped <- server.Shutdown(context.Background()) }()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.Dial("tcp", address.String()); err == nil {
		t.Error("the listener is still open")
	}
	select {
	case err := <-stopped:
		t.Errorf("Shutdown did not wait: %v", err)
	default:
	}
	close(f.inbox.block)
	if response, _ := receive(t, lateReader); response.StatusCode != 200 {
		t.Errorf("in flight: %d", response.StatusCode)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

func TestShutdownGivesUp(t *testing.T) {
	f := newFixture(t, nil, newChannel())
	f.inbox.block = make(chan struct{})
	defer close(f.inbox.block)
	server, address, served := f.start(t, nil)
	connection, _, uri := dial(t, urlOn(address))
	body, signature := message("m")
	sendf(t, connection, signedCall, uri, signature, len(body), body)
	<-f.inbox.entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := server.Shutdown(ctx); err == nil {
		t.Error("no error, though a call was cut off")
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeSaysWhyItCannot(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	f := newFixture(t, nil)
	if err := NewServer(f.Handler, testLimits, f.log).Serve(listener); err == nil {
		t.Error("served a closed listener")
	}
}
