package controllers_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers"
)

const connectorImage = "registry.test/connector:1"

// setup is what specs can change of an operator.
type setup struct {
	controllers.Options
	// cluster is how the operator reaches the API server.
	cluster *rest.Config
	// wire is between the two.
	wire *wire
	// manage changes the options of its manager.
	manage func(*ctrl.Options)
}

// operator is a running operator whose requests pass through a wire.
type operator struct {
	*wire
	log *logbook
	// passes are what it says of its reconciliations.
	passes *passLog
	// cache is what it knows of the cluster.
	cache client.Reader
	// ended is closed when the operator has ended, after err was set.
	ended  chan struct{}
	err    error
	cancel context.CancelFunc
}

// startOperator runs an operator that watches one namespace, until the spec ends or stop is called.
func startOperator(namespace string, change ...func(*setup)) *operator {
	GinkgoHelper()
	s := &setup{
		Options: controllers.Options{
			Image: connectorImage, Namespaces: []string{namespace},
			MaxConcurrentReconciles: 4, MaxConcurrentUpgrades: 1,
		},
		cluster: cluster,
		wire:    &wire{},
		manage:  func(*ctrl.Options) {},
	}
	for _, f := range change {
		f(s)
	}
	op := &operator{wire: s.wire, log: &logbook{}, passes: newPassLog(), ended: make(chan struct{})}
	config := rest.CopyConfig(s.cluster)
	config.Wrap(op.wrap)
	mgr, err := ctrl.NewManager(config, s.managerOptions(op))
	Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.Background())
	op.cancel, op.cache = cancel, mgr.GetCache()
	Expect(s.Add(ctx, mgr)).To(Succeed())
	go func() {
		defer close(op.ended)
		op.err = mgr.Start(ctx)
	}()
	DeferCleanup(op.stop)
	Expect(mgr.GetCache().WaitForCacheSync(ctx)).To(BeTrue())
	return op
}

func (s *setup) managerOptions(op *operator) ctrl.Options {
	GinkgoHelper()
	opts, err := s.ManagerOptions()
	Expect(err).NotTo(HaveOccurred())
	opts.Metrics = metricsserver.Options{BindAddress: "0"}
	opts.Controller.SkipNameValidation = new(true) // several run in this process
	text := slog.NewTextHandler(io.MultiWriter(GinkgoWriter, op.log), &slog.HandlerOptions{Level: slog.Level(-1)})
	opts.Logger = logr.FromSlogHandler(slog.NewMultiHandler(text, passHandler{log: op.passes}))
	s.manage(&opts)
	return opts
}

// stop ends the operator as a signal does.
func (o *operator) stop() {
	GinkgoHelper()
	o.cancel()
	Eventually(o.ended, "30s").Should(BeClosed())
}

// knowsDeleted waits until the operator knows that a resource is deleted, or about to be, and has ended what it did
// before: it puts back no child any more.
func (o *operator) knowsDeleted(ctx context.Context, c *v1alpha1.ChannelConnector) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		known := c.DeepCopy()
		err := o.cache.Get(ctx, client.ObjectKeyFromObject(c), known)
		g.Expect(apierrors.IsNotFound(err) || err == nil && known.DeletionTimestamp != nil).To(BeTrue(), "%v", err)
	}).Should(Succeed())
	settle(o)
}

// logbook keeps what an operator logs.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes one record.
func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// lines returns the records that hold a text.
func (l *logbook) lines(text string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []string
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}
