//go:build e2e

package e2e

import (
	"context"
	"os/exec"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const (
	// clusterModule is the folder of the module that runs the cluster: its commands are all that the suite knows of it.
	clusterModule = "localcluster"
	// controlPlane is the machine of the API server.
	controlPlane = "control-plane"
)

var clusterProgram string

// buildCluster builds the program that runs the cluster.
func buildCluster(ctx context.Context) {
	GinkgoHelper()
	clusterProgram = filepath.Join(GinkgoT().TempDir(), "cluster")
	run(ctx, "go", "-C", clusterModule, "build", "-o", clusterProgram, "./cmd/cluster")
}

// cluster runs a command of the local cluster, see localcluster/cmd/cluster.
func cluster(ctx context.Context, args ...string) string {
	GinkgoHelper()
	output, err := tryCluster(ctx, args...)
	Expect(err).NotTo(HaveOccurred(), "cluster %v", args)
	return output
}

func tryCluster(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, clusterProgram, args...)
	command.Dir = clusterModule
	return output(command)
}
