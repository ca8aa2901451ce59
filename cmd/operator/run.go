package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"xbot.a4b.vn/channel-connector/cmd/internal/librarylog"
	"xbot.a4b.vn/channel-connector/cmd/internal/version"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/controllers"
)

// options are the flags of the operator itself.
type options struct {
	controllers.Options
	leaderElect             bool
	leaderElectionNamespace string
	leaderElectionID        string
	metricsAddress          string
	metricsAuth             bool
	metricsCertDir          string
	probesAddress           string
	qps                     float32
	burst                   int
	logLevel, logFormat     string
}

// defaultLeaderElectionID names the Lease. The Role in config/rbac and the chart name it, too.
const defaultLeaderElectionID = "channel-connector-operator.xbot.a4b.vn"

// The client's defaults suit 10,000 resources. After a start each takes one or two reads of users' Secrets, which are
// not cached: 20,000 in 20 s. The API server's priority and fairness protects other clients from them.
const (
	defaultQPS         = 1000
	defaultBurst       = 1000
	defaultConcurrency = 8
	defaultUpgrades    = 5
	// defaultPerNamespace is a tenth of the ChannelConnectors that the default memory is enough for.
	defaultPerNamespace = 1000
)

// gracefulShutdown is how long running passes may take to end.
const gracefulShutdown = 15 * time.Second

func newRun() *cobra.Command {
	o := &options{}
	command := &cobra.Command{
		Use:     "operator",
		Short:   "Turn ChannelConnectors into running connectors",
		Args:    cobra.NoArgs,
		PreRunE: fromEnvironment,
		RunE: func(command *cobra.Command, _ []string) error {
			log, err := newLogger(command.ErrOrStderr(), o.logFormat, o.logLevel)
			if err != nil {
				return err
			}
			ctrl.SetLogger(log)
			klog.SetLogger(log) // client-go's
			librarylog.Redirect(log)
			return run(command.Context(), o)
		},
	}
	o.addFlags(command.Flags())
	describe(command.Flags())
	return command
}

func (o *options) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Image, "connector-image", "", "the connector's container image; required")
	flags.StringSliceVar(&o.Namespaces, "watch-namespaces", nil, "the namespaces to watch, separated by commas; empty: all")
	flags.StringVar(&o.OperatorNamespace, "operator-namespace", podNamespace(),
		"the namespace of the operator's own pods, which NetworkPolicies of connectors let in; empty: none is let in")
	flags.BoolVar(&o.leaderElect, "leader-elect", false, "run only while holding a Lease, so that several replicas may run")
	flags.StringVar(&o.leaderElectionNamespace, "leader-election-namespace", "", "the namespace of the Lease; empty: the pod's own")
	flags.StringVar(&o.leaderElectionID, "leader-election-id", defaultLeaderElectionID,
		"the name of the Lease; operators that run in one namespace and watch different ones need a Lease each")
	flags.StringVar(&o.metricsAddress, "metrics-bind-address", ":8443", "the address that serves metrics; 0: none")
	flags.BoolVar(&o.metricsAuth, "metrics-auth", true,
		"serve metrics over HTTPS to users whom the API server allows to \"get /metrics\"; otherwise over HTTP to everyone")
	flags.StringVar(&o.metricsCertDir, "metrics-cert-dir", "",
		"the folder of tls.crt and tls.key for metrics over HTTPS, read again when they change; empty: one made at each start")
	flags.StringVar(&o.probesAddress, "health-probe-bind-address", ":8081", "the address that serves /healthz and /readyz")
	flags.IntVar(&o.MaxConcurrentReconciles, "max-concurrent-reconciles", defaultConcurrency, "how many resources are reconciled at a time")
	flags.IntVar(&o.MaxConcurrentUpgrades, "max-concurrent-upgrades", defaultUpgrades,
		"how many connectors are upgraded at a time after the operator has changed")
	flags.IntVar(&o.MaxConnectorsPerNamespace, "max-connectors-per-namespace", defaultPerNamespace,
		"how many ChannelConnectors of a namespace are served, the oldest ones; 0: all")
	flags.StringToStringVar(&o.PlatformAPIs, "platform-api", nil,
		"the address of a platform's API in place of its own, by the type of channel, as ZaloBot=https://proxy.example.com; may be given "+
			"several times")
	const patterns = " that ChannelConnectors may declare, separated by commas, each a name or the beginning of names and a *; empty: none"
	every, allowed := []string{"*"}, &o.Allowed
	flags.StringSliceVar((*[]string)(&allowed.PodLabels), "allowed-pod-labels", every, "the pod labels"+patterns)
	flags.StringSliceVar((*[]string)(&allowed.PodAnnotations), "allowed-pod-annotations", every, "the pod annotations"+patterns)
	flags.StringSliceVar((*[]string)(&allowed.PriorityClasses), "allowed-priority-classes", every, "the PriorityClasses"+patterns)
	flags.StringSliceVar((*[]string)(&allowed.IngressAnnotations), "allowed-ingress-annotations", every, "the Ingress annotations"+patterns)
	flags.Float32Var(&o.qps, "kube-api-qps", defaultQPS, "requests a second to the API server, on average")
	flags.IntVar(&o.burst, "kube-api-burst", defaultBurst, "requests to the API server at a time")
	flags.StringVar(&o.logLevel, "log-level", "info", "the lowest level to log: debug, info, warn or error")
	flags.StringVar(&o.logFormat, "log-format", "json", "how to write logs: json or text")
}

// podNamespace is the namespace of this pod; empty outside a cluster.
func podNamespace() string {
	name, _ := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	return strings.TrimSpace(string(name))
}

func (o *options) validate() error {
	if err := requireImage(o.Image); err != nil {
		return err
	}
	if err := o.validateCertificate(); err != nil {
		return err
	}
	for flag, value := range map[string]int{
		"max-concurrent-reconciles": o.MaxConcurrentReconciles, "max-concurrent-upgrades": o.MaxConcurrentUpgrades,
		"kube-api-burst": o.burst, "kube-api-qps": int(o.qps),
	} {
		if value < 1 {
			return fmt.Errorf("--%s: want at least 1", flag)
		}
	}
	if o.MaxConnectorsPerNamespace < 0 {
		return errors.New("--max-connectors-per-namespace: want at least 0")
	}
	for flag, names := range map[string]controllers.Names{
		"allowed-pod-labels": o.Allowed.PodLabels, "allowed-pod-annotations": o.Allowed.PodAnnotations,
		"allowed-priority-classes": o.Allowed.PriorityClasses, "allowed-ingress-annotations": o.Allowed.IngressAnnotations,
	} {
		if err := names.Check(); err != nil {
			return fmt.Errorf("--%s: %w", flag, err)
		}
	}
	return o.validateAPIs()
}

// validateAPIs refuses an address that is no place for a credential.
func (o *options) validateAPIs() error {
	for kind, address := range o.PlatformAPIs {
		if types.Channel(kind).Register == nil {
			return fmt.Errorf("--platform-api: %q is no type of channel whose webhook the operator registers", kind)
		}
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("--platform-api: %s: want the address alone, as https://proxy.example.com, without user, query and fragment", kind)
		}
	}
	return nil
}

// validateCertificate refuses a folder without a certificate: metrics would be served with one that nobody can verify.
func (o *options) validateCertificate() error {
	if o.metricsCertDir == "" {
		return nil
	}
	if !o.metricsAuth {
		return errors.New("--metrics-cert-dir: without --metrics-auth metrics are served over HTTP: leave one of the two out")
	}
	_, err := tls.LoadX509KeyPair(filepath.Join(o.metricsCertDir, corev1.TLSCertKey), filepath.Join(o.metricsCertDir, corev1.TLSPrivateKeyKey))
	if err != nil {
		return fmt.Errorf("--metrics-cert-dir: %w", err)
	}
	return nil
}

// run runs the operator until ctx ends.
func run(ctx context.Context, o *options) error {
	if err := o.validate(); err != nil {
		return err
	}
	config, err := clientConfig()
	if err != nil {
		return err
	}
	config.QPS, config.Burst, config.UserAgent = o.qps, o.burst, "channel-connector-operator/"+version.Of()
	if err := awaitAPIServer(ctx, config); err != nil || ctx.Err() != nil {
		return err
	}
	mgr, err := newManager(config, o)
	if err != nil {
		return err
	}
	collectGarbageEarly()
	controllers.RegisterMetrics()
	if err := o.Add(ctx, mgr); err != nil {
		return err
	}
	if err := errors.Join(mgr.AddHealthzCheck("ping", healthz.Ping), mgr.AddReadyzCheck("ping", healthz.Ping)); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// gcPercent bounds garbage to this share of the live memory, which is mostly the cache. With Go's own 100 % half of the
// memory would be garbage.
const gcPercent = 20

// collectGarbageEarly does nothing if GOGC is set.
func collectGarbageEarly() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

func newManager(config *rest.Config, o *options) (ctrl.Manager, error) {
	opts, err := o.ManagerOptions()
	if err != nil {
		return nil, err
	}
	opts.LeaderElection, opts.LeaderElectionID = o.leaderElect, o.leaderElectionID
	opts.LeaderElectionNamespace = o.leaderElectionNamespace
	opts.LeaderElectionReleaseOnCancel = true // the process ends right after
	opts.HealthProbeBindAddress = o.probesAddress
	opts.Metrics = metricsserver.Options{BindAddress: o.metricsAddress, CertDir: o.metricsCertDir}
	if o.metricsAuth {
		opts.Metrics.SecureServing, opts.Metrics.FilterProvider = true, filters.WithAuthenticationAndAuthorization
	}
	shutdown := gracefulShutdown
	opts.GracefulShutdownTimeout = &shutdown
	return ctrl.NewManager(config, opts)
}

// newLogger logs to w.
func newLogger(w io.Writer, format, level string) (logr.Logger, error) {
	var threshold slog.Level
	if err := threshold.UnmarshalText([]byte(level)); err != nil {
		return logr.Logger{}, fmt.Errorf("--log-level: want debug, info, warn or error, not %q", level)
	}
	options := &slog.HandlerOptions{Level: threshold}
	switch format {
	case "json":
		return logr.FromSlogHandler(slog.NewJSONHandler(w, options)), nil
	case "text":
		return logr.FromSlogHandler(slog.NewTextHandler(w, options)), nil
	}
	return logr.Logger{}, fmt.Errorf("--log-format: want json or text, not %q", format)
}
