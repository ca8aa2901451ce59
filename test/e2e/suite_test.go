//go:build e2e

// Package e2e tests the whole on a real Kubernetes: kubelet, containerd, kube-proxy and DNS of the cluster that
// localcluster runs on this machine. The specs play Zalo and the bot on the host, which the cluster's networks lead to.
package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers"
)

// topFolder is the repository's folder.
const topFolder = "../.."

// The images. Their two versions differ by the tag alone.
const (
	connectorImage = "e2e.test/channel-connector"
	operatorImage  = connectorImage + "-operator"
	version        = "v1"
	nextVersion    = "v2"
)

// k8s reads and writes without a cache.
var k8s client.WithWatch

func TestEndToEnd(t *testing.T) {
	RegisterFailHandler(Fail)
	// The machine may be busy, and clients of an API server that was away come back to it after up to two minutes.
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
	removeOperator(ctx) // an earlier suite's operator runs other images of the same names
	Expect(kubectl(ctx, "get", "crd", "channelconnectors.xbot.a4b.vn", "--ignore-not-found")).To(BeEmpty(),
		"something else has its ChannelConnectors in this cluster: remove it first, a quickstart by make quickstart-down")
})

// startCluster starts the cluster, and removes it after the suite unless it was up.
func startCluster(ctx context.Context) {
	GinkgoHelper()
	buildCluster(ctx)
	if _, err := tryCluster(ctx, "kubeconfig"); err != nil {
		DeferCleanup(func(ctx context.Context) { cluster(ctx, "down") })
	}
	cluster(ctx, "up")
	kubeconfig := cluster(ctx, "kubeconfig")
	binaries := run(ctx, "go", "-C", clusterModule, "run", "./cmd/controlplane")
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
		archive, err := filepath.Abs(filepath.Join("dist", "images", program+"-linux-"+runtime.GOARCH+".tar"))
		Expect(err).NotTo(HaveOccurred())
		archives = append(archives, archive)
	}
	cluster(ctx, append([]string{"load-image"}, archives...)...)
}

// run runs a command of the repository and returns its output.
func run(ctx context.Context, name string, args ...string) string {
	GinkgoHelper()
	output, err := output(exec.CommandContext(ctx, name, args...))
	Expect(err).NotTo(HaveOccurred(), "%s %v", name, args)
	return output
}

// kubectl runs the kubectl that belongs to the cluster.
func kubectl(ctx context.Context, args ...string) string {
	GinkgoHelper()
	return run(ctx, "kubectl", args...)
}

// tryKubectl runs kubectl, and returns a failure as text.
func tryKubectl(ctx context.Context, args ...string) string {
	output, err := output(exec.CommandContext(ctx, "kubectl", args...))
	if err != nil {
		return output + err.Error()
	}
	return output
}

// output runs a command and returns its stdout. The error has its stderr. If the context ends, the command is
// interrupted, so that it can clean up.
func output(command *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	command.Stderr = io.MultiWriter(&stderr, GinkgoWriter)
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = time.Minute
	stdout, err := command.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, &stderr)
	}
	return strings.TrimSpace(string(stdout)), err
}
