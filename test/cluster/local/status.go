package local

import (
	"context"
	"fmt"
	"io"
)

// Status tells what runs. The error says that the cluster is not up, or not whole.
func (c *Cluster) Status(ctx context.Context, out io.Writer) error {
	nodes, err := c.nodes()
	if err != nil {
		return err
	}
	machines := []string{ControlPlane}
	for _, n := range nodes {
		machines = append(machines, n.String())
	}
	whole := true
	for _, machine := range machines {
		for _, d := range c.daemons(machine) {
			state := "runs"
			if _, err := c.machine(machine).daemonPID(d.name); err != nil {
				state, whole = "is off", false
			}
			fmt.Fprintf(out, "%-13s  %-23s  %-6s  %s\n", machine, d.name, state, c.log(machine, d.name))
		}
	}
	fmt.Fprintf(out, "KUBECONFIG=%s\n", c.kubeconfig("admin"))
	if !whole || !c.isUp(ctx) {
		return fmt.Errorf("the cluster is not whole: see its logs in %s", c.logs())
	}
	table, err := c.kubectl(ctx, "", "get", "nodes", "-o", "wide")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, table)
	return nil
}
