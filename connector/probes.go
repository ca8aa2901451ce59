package connector

import (
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/semaphore"

	"xbot.a4b.vn/channel-connector/connector/report"
)

const (
	// maxGathers bounds the scrapes that are gathered at once, for the sake of the processor; maxScrapes bounds those
	// that are gathered or being read, for the sake of the memory. Prometheus pairs, the operator and a curl need five.
	maxGathers = 4
	maxScrapes = 16
	// scrapeTimeout is Prometheus's own default.
	scrapeTimeout = 10 * time.Second
	// readTimeout is how long a scraper may take to read a page that is ready: it holds a place all the while.
	readTimeout = 2 * time.Second
)

// newProbes serves metrics, the report and probes. Liveness only says that the process answers, and readiness only that
// it takes calls: a full inbox or a dead sink changes neither, because a caller would then get "connection refused" in
// place of an honest 503.
func (p *process) newProbes() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.scrapes())
	mux.Handle("GET "+report.Path, p.reports())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !p.ready.Load() {
			http.Error(w, "not ready: starting or stopping", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 2 * scrapeTimeout}
}

// scrapes serves the metrics, and counts what it refuses as promhttp_metric_handler_requests_total.
func (p *process) scrapes() http.Handler {
	metrics := promhttp.HandlerFor(p.registry,
		promhttp.HandlerOpts{Registry: p.registry, MaxRequestsInFlight: maxGathers, Timeout: scrapeTimeout})
	places := semaphore.NewWeighted(maxScrapes)
	counted := promhttp.InstrumentMetricHandler(p.registry, http.HandlerFunc(func(w http.ResponseWriter, call *http.Request) {
		if !places.TryAcquire(1) {
			http.Error(w, "too many scrapes at once", http.StatusServiceUnavailable)
			return
		}
		defer places.Release(1)
		metrics.ServeHTTP(w, call)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, call *http.Request) { counted.ServeHTTP(page{w}, call) })
}

// page is an answer that is written at once.
type page struct{ http.ResponseWriter }

func (p page) Write(content []byte) (int, error) {
	// Without a deadline of its own it is bounded by the server's.
	_ = http.NewResponseController(p.ResponseWriter).SetWriteDeadline(time.Now().Add(readTimeout))
	return p.ResponseWriter.Write(content)
}
