package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// TestAwaitAPIServer: nothing listens for a while, and then a server answers, if only with a refusal.
func TestAwaitAPIServer(t *testing.T) {
	address := reserved.Address(t)
	ended := make(chan error, 1)
	go func() { ended <- awaitAPIServer(t.Context(), &rest.Config{Host: "http://" + address}) }()
	select {
	case err := <-ended:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(awaitInterval / 2):
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	}))
	server.Listener = listener
	server.Start()
	defer server.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
