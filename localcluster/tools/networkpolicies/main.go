// Networkpolicies enforces NetworkPolicies on one node of the local cluster. It is kube-network-policies, which judges
// the first packet of each connection, with a kubeconfig in place of a pod's token, and for kernels without the queue of
// nftables.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

// rules hand over the first packet of each connection, once a Service's address was replaced by that of a pod. The rules
// that kube-network-policies makes itself do the same with the queue of nftables; without that they are refused as a
// whole, and it goes on. Packets of root on the node, such as those of kubelet's probes, pass, and so does every packet
// while nothing judges them.
const rules = `*mangle
-A POSTROUTING -m owner --uid-owner 0 -j RETURN
-A POSTROUTING -m conntrack --ctstate NEW -j NFQUEUE --queue-num 100 --queue-bypass
COMMIT
`

const queue = 100

func main() {
	kubeconfig := flag.String("kubeconfig", "", "the file that says how to reach the API server")
	node := flag.String("hostname-override", "", "the node's name")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *kubeconfig, *node); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, node string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	controller, err := networkpolicy.NewController(client, factory.Networking().V1().NetworkPolicies(), factory.Core().V1().Namespaces(),
		factory.Core().V1().Pods(), nil, nil, nil, nil, networkpolicy.Config{NodeName: node, QueueID: queue})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	_ = restore(strings.ReplaceAll(rules, "-A", "-D")) // those of one that was killed, if there are any
	if err := restore(rules); err != nil {
		return err
	}
	defer func() { _ = restore(strings.ReplaceAll(rules, "-A", "-D")) }() // the node goes on without
	return controller.Run(ctx)
}

// restore changes the rules of iptables.
func restore(rules string) error {
	command := exec.Command("iptables-restore", "--noflush")
	command.Stdin = strings.NewReader(rules)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("iptables-restore: %w: %s", err, output)
	}
	return nil
}
