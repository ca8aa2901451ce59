package local

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
)

// Status lists the daemons and the nodes. It fails if the cluster is not up, or not whole.
func (c *Cluster) Status(ctx context.Context, out io.Writer) error {
	nodes, err := c.nodes()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "MACHINE\tDAEMON\tSTATE\tLOG")
	for _, machine := range machines(nodes) {
		for _, d := range c.daemons(machine) {
			state := "runs"
			if _, err := c.machine(machine).daemonPID(d.name); err != nil {
				state = "is off"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", machine, d.name, state, c.log(machine, d.name))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nKUBECONFIG=%s\n\n", c.kubeconfig("admin"))
	if err := c.check(ctx); err != nil {
		return err
	}
	list, err := c.kubectl(ctx, "", "get", "nodes", "-o", "wide")
	fmt.Fprintln(out, list)
	return err
}
