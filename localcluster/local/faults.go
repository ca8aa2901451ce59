package local

import (
	"context"
	"fmt"
	"strings"
)

// StopDaemon ends one daemon of a machine and nothing else: a node's pods go on without its kubelet or containerd.
func (c *Cluster) StopDaemon(ctx context.Context, machine, name string) error {
	d, err := c.daemon(machine, name)
	if err != nil {
		return err
	}
	return c.machine(machine).stop(ctx, d.name)
}

// StartDaemon starts a stopped daemon without waiting until it serves.
func (c *Cluster) StartDaemon(machine, name string) error {
	d, err := c.daemon(machine, name)
	if err != nil {
		return err
	}
	return c.machine(machine).start(d, c.log(machine, d.name))
}

// KillContainer ends a container on a node with SIGKILL. Its id is the one in the pod's status, such as
// containerd://3f5a.
func (c *Cluster) KillContainer(ctx context.Context, name, id string) error {
	n, err := c.node(name)
	if err != nil {
		return err
	}
	return c.ctr(ctx, n, "tasks", "kill", "--signal", "SIGKILL", strings.TrimPrefix(id, "containerd://"))
}

// HaltNode cuts a node's power: its daemons and all processes of its pods end at once. Its disk stays.
func (c *Cluster) HaltNode(ctx context.Context, name string) error {
	n, err := c.node(name)
	if err != nil {
		return err
	}
	return c.haltNode(ctx, n)
}

func (c *Cluster) haltNode(ctx context.Context, n node) error {
	if err := c.machine(n.String()).halt(ctx); err != nil {
		return err
	}
	return removeCgroups(ctx, n.cgroup())
}

// BootNode starts a halted node without waiting until it is ready.
func (c *Cluster) BootNode(ctx context.Context, name string) error {
	n, err := c.node(name)
	if err != nil {
		return err
	}
	if err := c.bootNode(ctx, n); err != nil {
		return err
	}
	if err := c.startDaemons(name, containerd); err != nil {
		return err
	}
	if err := c.waitContainerd(ctx, n); err != nil { // without it kubelet ends
		return err
	}
	return c.startDaemons(name, kubelet, kubeProxy)
}

// node returns a node that was made.
func (c *Cluster) node(name string) (node, error) {
	nodes, err := c.nodes()
	if err != nil {
		return 0, err
	}
	for _, n := range nodes {
		if n.String() == name {
			return n, nil
		}
	}
	return 0, fmt.Errorf("the cluster has no node %q; it has %v", name, nodes)
}
