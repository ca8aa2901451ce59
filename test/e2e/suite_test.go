//go:build e2e

// Package e2e tests the whole on a real Kubernetes: kubelet, containerd, kube-proxy
// and DNS of the cluster that test/cluster runs on this machine. The specs play
// Zalo and the bot on the host, which the cluster's networks lead to.
package e2e

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers"
	"xbot.a4b.vn/channel-connector/test/build"
	"xbot.a4b.vn/channel-connector/test/cluster/local"
	"xbot.a4b.vn/channel-connector/test/command"
)

// topFolder is the repository's.
const topFolder = "../.."

// The images, of which two versions differ by their tag alone.
const (
	connectorImage = "e2e.test/channel-connector"
	operatorImage  = connectorImage + "-operator"
	version        = "v1"
	nextVersion    = "v2"
)

var (
	// machine runs the cluster.
	machine *local.Cluster
	// k8s reads and writes without a cache.
	k8s client.WithWatch
)

func TestEndToEnd(t *testing.T) {
	RegisterFailHandler(Fail)
	// The machine may be busy, and clients of an API server that was away come back to
	// it after up to two minutes.
	SetDefaultEventuallyTimeout(4 * time.Minute)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	SetDefaultConsistentlyPollingInterval(100 * time.Millisecond)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "End to end")
}

var _ = BeforeSuite(func(ctx context.Context) {
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewTextHandler(GinkgoWriter, nil)))
	Expect(os.Chdir(topFolder)).To(Succeed())
	startCluster(ctx)
	for _, v := range []string{version, nextVersion} {
		loadImages(ctx, v)
	}
	removeOperator(ctx) // one that an earlier suite left runs other images of the same names
	Expect(kubectl(ctx, "get", "crd", "channelconnectors.xbot.a4b.vn", "--ignore-not-found")).To(BeEmpty(),
		"something else has its ChannelConnectors in this cluster: remove it first, a quickstart by make quickstart-down")
})

// startCluster starts the cluster, and removes it after the suite unless it was up.
func startCluster(ctx context.Context) {
	GinkgoHelper()
	var err error
	machine, err = local.New(GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	if _, err := machine.Kubeconfig(ctx); err != nil {
		DeferCleanup(func(ctx context.Context) { Expect(machine.Down(ctx)).To(Succeed()) })
	}
	Expect(machine.Up(ctx)).To(Succeed())
	kubeconfig, err := machine.Kubeconfig(ctx)
	Expect(err).NotTo(HaveOccurred())
	binaries, err := build.ControlPlane(ctx, os.UserCacheDir, GinkgoWriter)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.Setenv("KUBECONFIG", kubeconfig)).To(Succeed())
	Expect(os.Setenv("PATH", binaries+string(os.PathListSeparator)+os.Getenv("PATH"))).To(Succeed())
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	Expect(err).NotTo(HaveOccurred())
	config.QPS = -1 // the tests are not throttled
	scheme, err := controllers.NewScheme()
	Expect(err).NotTo(HaveOccurred())
	k8s, err = client.NewWithWatch(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
}

// loadImages makes the images of a version and gives them to the nodes.
func loadImages(ctx context.Context, version string) {
	GinkgoHelper()
	run(ctx, "make", "--no-print-directory", "images",
		"PLATFORMS=linux/"+runtime.GOARCH, "IMAGE="+connectorImage, "VERSION="+version)
	var archives []string
	for _, program := range []string{"connector", "operator"} {
		archives = append(archives, filepath.Join("dist", "images", program+"-linux-"+runtime.GOARCH+".tar"))
	}
	Expect(machine.LoadImages(ctx, archives...)).To(Succeed())
}

// run runs a command of the repository and returns what it prints.
func run(ctx context.Context, name string, args ...string) string {
	GinkgoHelper()
	output, err := command.Output(ctx, exec.CommandContext(ctx, name, args...))
	Expect(err).NotTo(HaveOccurred(), "%s %v", name, args)
	return output
}

// kubectl runs the kubectl that belongs to the cluster.
func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	return run(ctx, "kubectl", args...)
}

// tryKubectl is kubectl whose failure is part of what it returns.
func tryKubectl(ctx context.Context, args ...string) string {
	output, err := command.Output(ctx, exec.CommandContext(ctx, "kubectl", args...))
	if err != nil {
		return output + err.Error()
	}
	return output
}
