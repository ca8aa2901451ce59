package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// volumesPerNode is more than any test claims at once.
const volumesPerNode = 16

// volumes is the folder of a machine's volumes, as the machine sees it.
const volumes = "/var/local"

// volume is a persistent volume; a node gets some when it is made.
type volume struct{ Name, Node, Path string }

func (n node) volumes() []volume {
	all := make([]volume, 0, volumesPerNode)
	for i := range volumesPerNode {
		name := fmt.Sprintf("%s-%02d", n, i+1)
		all = append(all, volume{Name: name, Node: n.String(), Path: filepath.Join(volumes, name)})
	}
	return all
}

// clear makes the folder of a volume, empty.
func (c *Cluster) clear(v volume) error {
	dir := filepath.Join(c.machine(v.Node).dir, v.Path)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	// Any user of a pod may write, whatever the umask is here.
	return os.Chmod(dir, 0o777)
}

// makeVolumes makes empty volumes, in place of any with their names.
func (c *Cluster) makeVolumes(ctx context.Context, all []volume) error {
	var objects strings.Builder
	for _, v := range all {
		if err := c.clear(v); err != nil {
			return fmt.Errorf("clear volume %s: %w", v.Name, err)
		}
		text, err := render("volume.yaml", v)
		if err != nil {
			return err
		}
		objects.Write(text)
	}
	_, err := c.kubectl(ctx, objects.String(), "apply", "-f", "-")
	return err
}

// RenewVolumes empties the volumes whose claims were deleted, and offers them again. Kubernetes itself keeps such a
// volume with its data and binds it to no other claim.
func (c *Cluster) RenewVolumes(ctx context.Context) error {
	lost, err := c.kubectl(ctx, "", "get", "persistentvolumes",
		"-o", `jsonpath={.items[?(@.status.phase=="Released")].metadata.name}`)
	if err != nil {
		return err
	}
	nodes, err := c.nodes()
	if err != nil {
		return err
	}
	var released []volume
	names := []string{"delete", "persistentvolume"}
	for _, n := range nodes {
		for _, v := range n.volumes() {
			if slices.Contains(strings.Fields(lost), v.Name) {
				released = append(released, v)
				names = append(names, v.Name)
			}
		}
	}
	if len(released) == 0 {
		return nil
	}
	if _, err := c.kubectl(ctx, "", names...); err != nil {
		return err
	}
	return c.makeVolumes(ctx, released)
}
