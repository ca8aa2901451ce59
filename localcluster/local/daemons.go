package local

import (
	"fmt"
	"path/filepath"
)

// The daemons, by the names of their programs.
const (
	etcd                  = "etcd"
	kubeAPIServer         = "kube-apiserver"
	kubeControllerManager = "kube-controller-manager"
	kubeScheduler         = "kube-scheduler"
	kubeProxy             = "kube-proxy"
	containerd            = "containerd"
	kubelet               = "kubelet"
)

// daemon is a program with its arguments.
type daemon struct {
	name string
	args []string
}

// daemons returns the daemons of a machine, in the order of their start.
func (c *Cluster) daemons(machine string) []daemon {
	if machine == ControlPlane {
		return c.controlPlaneDaemons()
	}
	return c.nodeDaemons(machine)
}

func (c *Cluster) controlPlaneDaemons() []daemon {
	return []daemon{
		{etcd, []string{
			// The data need not survive a crash of the computer.
			"--unsafe-no-fsync", "--data-dir=/var/lib/etcd", "--log-level=warn",
			"--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
			"--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380",
			"--initial-cluster=default=http://127.0.0.1:2380",
		}},
		{kubeAPIServer, []string{
			"--etcd-servers=http://127.0.0.1:2379",
			"--advertise-address=" + controlPlaneAddress,
			"--service-cluster-ip-range=" + serviceNetwork,
			"--allow-privileged",
			"--authorization-mode=Node,RBAC",
			"--enable-admission-plugins=NodeRestriction",
			"--client-ca-file=" + c.pki("ca.crt"),
			"--tls-cert-file=" + c.pki("kube-apiserver.crt"),
			"--tls-private-key-file=" + c.pki("kube-apiserver.key"),
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file=" + c.pki("service-accounts.key"),
			"--service-account-signing-key-file=" + c.pki("service-accounts.key"),
			"--kubelet-certificate-authority=" + c.pki("ca.crt"),
			"--kubelet-client-certificate=" + c.pki("kube-apiserver-to-kubelet.crt"),
			"--kubelet-client-key=" + c.pki("kube-apiserver-to-kubelet.key"),
			"--kubelet-preferred-address-types=InternalIP",
		}},
		{kubeControllerManager, append(c.control(kubeControllerManager),
			"--cluster-signing-cert-file="+c.pki("ca.crt"),
			"--cluster-signing-key-file="+c.pki("ca.key"),
			"--root-ca-file="+c.pki("ca.crt"),
			"--service-account-private-key-file="+c.pki("service-accounts.key"),
			"--use-service-account-credentials",
		)},
		{kubeScheduler, c.control(kubeScheduler)},
		// So that the host and the API server reach Services while a node is off.
		{kubeProxy, []string{"--config=" + c.config(ControlPlane, "kube-proxy.yaml")}},
	}
}

// control returns the flags that scheduler and controller manager share.
func (c *Cluster) control(name string) []string {
	return []string{
		"--kubeconfig=" + c.kubeconfig(name),
		"--authentication-kubeconfig=" + c.kubeconfig(name),
		"--authorization-kubeconfig=" + c.kubeconfig(name),
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
		// With the defaults the controller manager does nothing in its first 5 s.
		"--kube-api-qps=500", "--kube-api-burst=1000",
	}
}

func (c *Cluster) nodeDaemons(machine string) []daemon {
	var n node
	_, _ = fmt.Sscanf(machine, "node%d", &n) // made by node.String
	return []daemon{
		{containerd, []string{"--config=" + c.config(machine, "containerd.toml"), "--log-level=warn"}},
		{kubelet, []string{
			"--config=" + c.config(machine, "kubelet.yaml"),
			"--kubeconfig=" + c.kubeconfig(machine),
			"--hostname-override=" + machine,
			"--node-ip=" + n.address(),
			"--node-labels=topology.kubernetes.io/zone=" + n.zone(),
		}},
		{kubeProxy, []string{"--config=" + c.config(machine, "kube-proxy.yaml")}},
	}
}

// daemon returns one of a machine's daemons.
func (c *Cluster) daemon(machine, name string) (daemon, error) {
	var names []string
	for _, d := range c.daemons(machine) {
		if d.name == name {
			return d, nil
		}
		names = append(names, d.name)
	}
	return daemon{}, fmt.Errorf("%s has no daemon %q; it has %q", machine, name, names)
}

// containerdSocket is where the host finds a machine's containerd.
func containerdSocket(pid int) string {
	return filepath.Join("/proc", fmt.Sprint(pid), "root/run/containerd/containerd.sock")
}
