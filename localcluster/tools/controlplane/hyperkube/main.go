// Hyperkube is one binary with the daemons of a cluster except its API server. The name by which it is called chooses
// the daemon. It takes a third of the disk space and linking time of four binaries.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	var daemon *cobra.Command
	switch name := filepath.Base(os.Args[0]); name {
	case "kube-controller-manager":
		daemon = controllermanager.NewControllerManagerCommand()
	case "kube-proxy":
		daemon = proxy.NewProxyCommand()
	case "kube-scheduler":
		daemon = scheduler.NewSchedulerCommand()
	case "kubelet":
		daemon = kubelet.NewKubeletCommand(context.Background())
	default:
		fmt.Fprintf(os.Stderr, "hyperkube was called as %q: call it by the name of a daemon\n", name)
		os.Exit(2)
	}
	os.Exit(cli.Run(daemon))
}
