package local

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"

	"xbot.a4b.vn/channel-connector/localcluster/command"
)

// ip runs lines of ip(8) in the network of a process, or in the host's if pid is 0. It does not use "ip netns exec",
// which hides the cgroups from its child.
func ip(ctx context.Context, pid int, lines ...string) error {
	args := []string{"ip", "-batch", "-"}
	if pid != 0 {
		args = append([]string{"nsenter", "--target", strconv.Itoa(pid), "--net", "--"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n"))
	_, err := command.Output(ctx, cmd)
	return err
}

// link joins the networks of two processes. The router gets the interface of that name; the other gets eth0 with a
// default route.
func link(ctx context.Context, router int, name, gateway string, pid int, address string) error {
	err := ip(ctx, router,
		fmt.Sprintf("link add %s type veth peer name eth0 netns %d", name, pid),
		fmt.Sprintf("address add %s/24 dev %s", gateway, name),
		fmt.Sprintf("link set %s up", name),
	)
	if err != nil {
		return err
	}
	return ip(ctx, pid,
		fmt.Sprintf("address add %s/24 dev eth0", address),
		"link set eth0 up",
		fmt.Sprintf("route add default via %s", gateway),
	)
}

// linkHost joins the control plane's machine with the host, and routes the host's packets to everything behind it. Link
// and routes go with the machine.
func (c *Cluster) linkHost(ctx context.Context) error {
	pid, err := c.machine(ControlPlane).pid()
	if err != nil {
		return err
	}
	if err := link(ctx, 0, hostLink, HostAddress, pid, controlPlaneAddress); err != nil {
		return fmt.Errorf("join the host with the cluster: %w; does %s belong to another cluster on this machine?", err, hostLink)
	}
	var routes []string
	for _, network := range []string{machineNetwork, podNetwork, serviceNetwork} {
		routes = append(routes, fmt.Sprintf("route add %s via %s", network, controlPlaneAddress))
	}
	if err := ip(ctx, 0, routes...); err != nil {
		return fmt.Errorf("route the host's packets to the cluster: %w; is one of %s, %s and %s in use here?",
			err, machineNetwork, podNetwork, serviceNetwork)
	}
	return nil
}

// linkNode joins a node with the control plane's machine, its router.
func (c *Cluster) linkNode(ctx context.Context, n node) error {
	router, err := c.machine(ControlPlane).pid()
	if err != nil {
		return err
	}
	pid, err := c.machine(n.String()).pid()
	if err != nil {
		return err
	}
	if err := link(ctx, router, n.String(), n.gateway(), pid, n.address()); err != nil {
		return fmt.Errorf("join the control plane with %s: %w", n, err)
	}
	return ip(ctx, router, fmt.Sprintf("route add %s via %s", n.podNetwork(), n.address()))
}

// hasLink reports whether the host has the cluster's interface.
func hasLink() bool {
	_, err := net.InterfaceByName(hostLink)
	return err == nil
}
