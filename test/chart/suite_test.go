// Package chart_test installs the Helm chart into a real API server, with Helm.
package chart_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"xbot.a4b.vn/channel-connector/test/kit/installation"
	"xbot.a4b.vn/channel-connector/test/kit/versions"
)

// chart is seen from the repository's folder.
const chart = "charts/channel-connector"

// oldest has Helm render for the oldest supported version of Kubernetes.
var oldest = "--kube-version=" + versions.Oldest().String()

var (
	k8s *installation.Cluster
	// The paths of programs.
	operator, connector, helmProgram string
	// administrator is the path of a kubeconfig.
	administrator string
)

func TestChart(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Chart")
}

var _ = BeforeSuite(func(ctx context.Context) {
	operator = installation.BuildCommand("operator")
	connector = installation.BuildCommand("connector")
	helmProgram = installation.BuildTool("helm", "helm.sh/helm/v3/cmd/helm")
	k8s = installation.Start()
	administrator = k8s.Kubeconfig("", "")

	By("installing the release that brings the definition, which stays for all others")
	k8s.MakeNamespace(ctx, "xbot-system")
	helm(ctx, "install", "cluster", chart, "--namespace=xbot-system", "--no-hooks")
})

// helm runs Helm as the cluster's administrator and returns what it prints.
func helm(ctx context.Context, arguments ...string) []byte {
	GinkgoHelper()
	home := GinkgoT().TempDir()
	command := exec.CommandContext(ctx, helmProgram, arguments...)
	command.Env = []string{
		"KUBECONFIG=" + administrator, "HOME=" + home,
	}
	return installation.Output(command)
}

// values names a file of values in the chart's ci/ for Helm.
func values(name string) string { return "--values=" + filepath.Join(chart, "ci", name+"-values.yaml") }

// objects are those of a release, hooks included.
func objects(ctx context.Context, release, namespace string) []*unstructured.Unstructured {
	GinkgoHelper()
	manifest := helm(ctx, "get", "manifest", release, "--namespace", namespace)
	hooks := helm(ctx, "get", "hooks", release, "--namespace", namespace)
	return append(installation.Objects(manifest), installation.Objects(hooks)...)
}
