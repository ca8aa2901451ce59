// Package local runs a Kubernetes cluster on this machine: a real control plane and real nodes, made of nothing but
// binaries. Each of its computers, called machines here, is a set of namespaces (network, mounts, processes) with a
// first process. When that process ends, the kernel ends the others and removes the mounts and links. All files are in
// one folder.
package local

import (
	"fmt"
	"path/filepath"
)

// The networks. The host reaches them all through the control plane's machine, the router of the nodes.
const (
	controlPlaneAddress = "10.99.0.2"
	machineNetwork      = "10.99.0.0/16"
	podNetwork          = "10.244.0.0/16"
	serviceNetwork      = "10.96.0.0/16"
	apiService          = "10.96.0.1"
	dnsService          = "10.96.0.10"
	// hostLink is the host's interface; there is one cluster on a machine.
	hostLink = "xbot-cluster"
)

// HostAddress is where pods reach servers on the host.
const HostAddress = "10.99.0.1"

const apiServer = "https://" + controlPlaneAddress + ":6443"

// cgroupName is the parent of all nodes' cgroups, in each hierarchy.
const cgroupName = "xbot-cluster"

// ControlPlane is the name of the machine with the API server. It is no node.
const ControlPlane = "control-plane"

// node is one of the cluster's nodes, from 1.
type node int

// String returns the node's name in Kubernetes and of its machine.
func (n node) String() string { return fmt.Sprintf("node%d", int(n)) }

func (n node) address() string    { return fmt.Sprintf("10.99.%d.2", int(n)) }
func (n node) gateway() string    { return fmt.Sprintf("10.99.%d.1", int(n)) }
func (n node) podNetwork() string { return fmt.Sprintf("10.244.%d.0/24", int(n)) }
func (n node) zone() string       { return fmt.Sprintf("zone%d", int(n)) }
func (n node) cgroup() string     { return "/" + cgroupName + "/" + n.String() }

// maxNodes is the room of the networks above.
const maxNodes = 254

// The folders and files of the cluster.

func (c *Cluster) bin(program string) string     { return filepath.Join(c.Dir, "bin", program) }
func (c *Cluster) images() string                { return filepath.Join(c.Dir, "images") }
func (c *Cluster) logs() string                  { return filepath.Join(c.Dir, "logs") }
func (c *Cluster) pki(file string) string        { return filepath.Join(c.Dir, "pki", file) }
func (c *Cluster) kubeconfig(user string) string { return c.pki(user + ".kubeconfig") }

// upMark is a file that exists once the cluster came up.
func (c *Cluster) upMark() string { return filepath.Join(c.Dir, "up") }

func (c *Cluster) machine(name string) machine {
	return machine{name: name, dir: filepath.Join(c.Dir, "machines", name), pause: c.bin("pause")}
}

func (c *Cluster) config(machine, file string) string {
	return filepath.Join(c.machine(machine).dir, "etc", file)
}

func (c *Cluster) log(machine, daemon string) string {
	return filepath.Join(c.logs(), machine, daemon+".log")
}
