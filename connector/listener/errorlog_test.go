package listener

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/prometheus/client_golang/prometheus"

	"xbot.a4b.vn/channel-connector/connector/telemetry"
)

// Callers cause what net/http logs, so they must not be able to flood the log, nor to write their addresses there.
func TestServerLogIsCountedAndThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged []string
		metrics := telemetry.New(prometheus.NewRegistry())
		log := slog.NewLogLogger(NewErrorLog(funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{}), metrics),
			slog.LevelWarn)
		say := func() {
			for range 500 {
				log.Printf("http: TLS handshake error from %s: EOF", "192.0.2.7:5000")
				log.Printf("http: response.WriteHeader on hijacked connection from %s", "[2001:db8::1%eth0]:443")
				log.Printf("something of %s", "192.0.2.7")
			}
			log.Printf("http: panic serving %v: %v\n%s", "192.0.2.7:5000", "defect", "goroutine 1")
			log.Printf("http: panic serving %v: %v\n%s", "192.0.2.7:5001", "defect", "goroutine 2")
		}
		say()
		if len(logged) != 3+2 {
			t.Errorf("%d lines", len(logged))
		}
		<-time.After(logEvery)
		say()
		if len(logged) != 2*(3+2) {
			t.Errorf("%d lines after another minute", len(logged))
		}
		all := strings.Join(logged, "\n")
		if strings.Contains(all, "192.0.2.7") || strings.Contains(all, "2001:db8") || strings.Count(all, "defect") != 4 {
			t.Errorf("an address is in the log, or a panic is not:\n%s", all)
		}
		for kind, want := range map[string]int{"tls_handshake": 1000, "response": 1000, "other": 1000, kindPanic: 4} {
			if n := value(metrics.ServerLog.WithLabelValues(kind)); n != want {
				t.Errorf("%s: %d counted, want %d", kind, n, want)
			}
		}
	})
}
