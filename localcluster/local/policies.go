package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"xbot.a4b.vn/channel-connector/localcluster/build"
)

// The module that pins what enforces NetworkPolicies, and the path of what it pins.
const (
	policiesModule = "tools/networkpolicies"
	policiesPath   = "sigs.k8s.io/kube-network-policies"
)

// networkPolicies enforces NetworkPolicies on a node. It is none of the daemons that every cluster has: few need it, and
// it takes minutes to build.
const networkPolicies = "networkpolicies"

// EnforcePolicies lets every node enforce NetworkPolicies from now on. It builds what does so, and does not wait until
// it has read them.
func (c *Cluster) EnforcePolicies(ctx context.Context) error {
	nodes, release, err := c.lockNodes(ctx)
	if err != nil {
		return err
	}
	defer release()
	version, err := build.Version(ctx, policiesModule, policiesPath)
	if err != nil {
		return err
	}
	wanted := []build.Binary{{Name: networkPolicies, Module: policiesModule, Package: "."}}
	dir, err := c.cache.Binaries(ctx, "networkpolicies-"+build.FolderName(version), "the programs that enforce NetworkPolicies", wanted)
	if err != nil {
		return err
	}
	err = os.Symlink(filepath.Join(dir, networkPolicies), c.bin(networkPolicies))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("install %s: %w", networkPolicies, err)
	}
	for _, n := range nodes {
		enforcer := daemon{networkPolicies, []string{"-kubeconfig=" + c.kubeconfig("admin"), "-hostname-override=" + n.String()}}
		if err := c.machine(n.String()).start(enforcer, c.log(n.String(), networkPolicies)); err != nil {
			return err
		}
	}
	return nil
}

// IgnorePolicies undoes EnforcePolicies.
func (c *Cluster) IgnorePolicies(ctx context.Context) error {
	nodes, release, err := c.lockNodes(ctx)
	if err != nil {
		return err
	}
	defer release()
	for _, n := range nodes {
		if err := c.machine(n.String()).stop(ctx, networkPolicies); err != nil {
			return err
		}
	}
	return nil
}

// lockNodes returns the nodes, which do not change until release is called.
func (c *Cluster) lockNodes(ctx context.Context) (nodes []node, release func(), err error) {
	if release, err = c.lock(ctx); err != nil {
		return nil, nil, err
	}
	if nodes, err = c.nodes(); err != nil {
		release()
		return nil, nil, err
	}
	return nodes, release, nil
}
