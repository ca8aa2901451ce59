package controllers_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"xbot.a4b.vn/channel-connector/controllers"
)

const connectorImage = "registry.test/connector:1"

// operator is a running operator whose requests pass through a wire that counts
// them and can be cut.
type operator struct {
	*wire
	stop func()
}

// startOperator runs an operator that watches one namespace, until the spec ends
// or stop is called.
func startOperator(namespace string, change ...func(*controllers.Options)) *operator {
	GinkgoHelper()
	o := controllers.Options{
		Image: connectorImage, Namespaces: []string{namespace},
		MaxConcurrentReconciles: 4, MaxConcurrentUpgrades: 1,
	}
	for _, f := range change {
		f(&o)
	}
	w := &wire{}
	opts, err := o.ManagerOptions()
	Expect(err).NotTo(HaveOccurred())
	opts.Metrics = metricsserver.Options{BindAddress: "0"}
	opts.Controller.SkipNameValidation = new(true) // several run in this process
	config := rest.CopyConfig(cluster)
	config.Wrap(w.wrap)
	mgr, err := ctrl.NewManager(config, opts)
	Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.Background())
	Expect(o.Add(ctx, mgr)).To(Succeed())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		Eventually(ended, "30s").Should(Receive(Succeed()))
	})
	DeferCleanup(stop)
	Expect(mgr.GetCache().WaitForCacheSync(ctx)).To(BeTrue())
	return &operator{wire: w, stop: stop}
}

// wire is between an operator and the API server.
type wire struct {
	next   http.RoundTripper
	writes atomic.Int64
	// allowed is the number of writes that still pass; negative: all.
	allowed atomic.Int64
	limited atomic.Bool

	mu  sync.Mutex
	log []string
}

func (w *wire) wrap(next http.RoundTripper) http.RoundTripper {
	w.next = next
	return w
}

// RoundTrip counts writes, those of events and Leases left out: they say what
// happened and who leads, and are no part of any resource's state.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	path := req.URL.Path
	counted := req.Method != http.MethodGet && !strings.Contains(path, "/events") && !strings.Contains(path, "/leases")
	if !counted {
		return w.next.RoundTrip(req)
	}
	if w.limited.Load() && w.allowed.Add(-1) < 0 {
		return nil, errCut
	}
	w.writes.Add(1)
	w.mu.Lock()
	w.log = append(w.log, req.Method+" "+path)
	w.mu.Unlock()
	return w.next.RoundTrip(req)
}

// written returns the writes so far, for messages.
func (w *wire) written() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.log...)
}
