// Package config_test installs what is under config/ into a real API server.
package config_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"xbot.a4b.vn/channel-connector/test/kit/installation"
)

var (
	k8s *installation.Cluster
	// The paths of programs.
	operator, kustomize string
)

func TestConfig(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Config")
}

var _ = BeforeSuite(func(ctx context.Context) {
	operator = installation.BuildCommand("operator")
	kustomize = installation.BuildTool("operator", "sigs.k8s.io/kustomize/kustomize/v5")
	k8s = installation.Start()
	By("installing config/crd, which everything else needs")
	k8s.Install(ctx, build(ctx, "crd"))
	k8s.InstallDefinitions("config/crd/bases")
})

// build returns what kustomize makes of a folder of config.
func build(ctx context.Context, folder string) []*unstructured.Unstructured {
	GinkgoHelper()
	return installation.Objects(installation.Output(exec.CommandContext(ctx, kustomize, "build", "config/"+folder)))
}

// read returns the objects of a file of config.
func read(name string) []*unstructured.Unstructured {
	GinkgoHelper()
	documents, err := os.ReadFile(filepath.Join(installation.Root, "config", name))
	Expect(err).NotTo(HaveOccurred())
	return installation.Objects(documents)
}
