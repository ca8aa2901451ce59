package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"xbot.a4b.vn/channel-connector/localcluster/build"
	"xbot.a4b.vn/channel-connector/localcluster/command"
)

// Cluster is the one cluster of this user on this computer, whether it is up or not.
type Cluster struct {
	// Dir has all its files.
	Dir      string
	cache    build.Cache
	progress build.Progress
}

// New returns the user's cluster, which reports progress to out.
func New(out io.Writer) (*Cluster, error) {
	progress := build.Progress{Program: "cluster", Total: "5 minutes", Out: out, Every: 15 * time.Second}
	cache, err := build.NewCache(os.UserCacheDir, progress)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(filepath.Dir(cache.Dir), "cluster")
	return &Cluster{Dir: dir, cache: cache, progress: progress}, checkDir(dir)
}

// lock keeps two runs from changing the cluster at once: the second waits.
func (c *Cluster) lock(ctx context.Context) (release func(), err error) {
	if err := os.MkdirAll(filepath.Dir(c.Dir), 0o755); err != nil {
		return nil, err
	}
	lock, err := c.progress.Lock(ctx, c.Dir+".lock", "changes the cluster")
	if err != nil {
		return nil, err
	}
	return func() { _ = lock.Close() }, nil // nothing was written to it
}

// Up starts the cluster: API server, one node, DNS and volumes, all ready. If the cluster is up already, Up only
// empties its released volumes and offers them again. It first removes the remains of a cluster that is not whole. If
// Up fails or ctx ends, it removes all that it made except the logs. It works in the module's folder.
func (c *Cluster) Up(ctx context.Context) error {
	if err := checkHost(ctx); err != nil {
		return err
	}
	release, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	err = c.check(ctx)
	if err == nil {
		c.progress.Sayf("is up already; KUBECONFIG=%s", c.kubeconfig("admin"))
		return c.RenewVolumes(ctx)
	}
	if !errors.Is(err, errDown) {
		c.progress.Sayf("%v; making a new one", err)
	}
	if err := c.teardown(ctx, ""); err != nil {
		return err
	}
	if hasLink() {
		return errOther
	}
	begun := time.Now()
	if err := c.bringUp(ctx); err != nil {
		return c.giveUp(ctx, err)
	}
	c.progress.Sayf("up after %s; KUBECONFIG=%s", time.Since(begun).Round(time.Second/10), c.kubeconfig("admin"))
	return nil
}

// giveUp removes what a failed start made. The logs stay if err may name them.
func (c *Cluster) giveUp(ctx context.Context, err error) error {
	keep := c.logs()
	if ctx.Err() != nil {
		err, keep = errors.New("interrupted"), ""
	}
	c.progress.Sayf("did not come up; removing what was made")
	return errors.Join(err, c.teardown(context.WithoutCancel(ctx), keep))
}

func (c *Cluster) bringUp(ctx context.Context) error {
	for _, dir := range []string{c.bin(""), c.pki(""), c.images(), c.logs()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := c.install(ctx); err != nil {
		return err
	}
	if err := c.writePKI(); err != nil {
		return fmt.Errorf("make the cluster's certificates: %w", err)
	}
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	// Containerd takes its images while the API server starts.
	first := node(1)
	together, both := errgroup.WithContext(ctx)
	together.Go(func() error { return c.startControllers(both) })
	together.Go(func() error {
		if err := c.packImages(); err != nil {
			return err
		}
		return c.prepareNode(both, first)
	})
	if err := together.Wait(); err != nil {
		return err
	}
	together, both = errgroup.WithContext(ctx)
	together.Go(func() error { return c.join(both, first) })
	together.Go(func() error { return c.startDNS(both, first) })
	if err := together.Wait(); err != nil {
		return err
	}
	return os.WriteFile(c.upMark(), nil, 0o600)
}

// startControlPlane starts the machine with the API server.
func (c *Cluster) startControlPlane(ctx context.Context) error {
	if err := c.configure(ControlPlane, 1); err != nil {
		return err
	}
	if err := c.machine(ControlPlane).boot(ctx, c.log(ControlPlane, "init")); err != nil {
		return err
	}
	if err := c.linkHost(ctx); err != nil {
		return err
	}
	return c.startDaemons(ControlPlane, etcd, kubeAPIServer)
}

// startControllers first waits until the API server serves: the rest of the control plane ends if it may not do its
// work yet.
func (c *Cluster) startControllers(ctx context.Context) error {
	err := c.waitFor(ctx, ControlPlane, kubeAPIServer, "the API server to be ready", func() (bool, error) {
		return c.serves(ctx), nil
	})
	if err != nil {
		return err
	}
	return c.startDaemons(ControlPlane, kubeControllerManager, kubeScheduler, kubeProxy)
}

func (c *Cluster) startDaemons(machine string, names ...string) error {
	for _, d := range c.daemons(machine) {
		if len(names) > 0 && !slices.Contains(names, d.name) {
			continue
		}
		if err := c.machine(machine).start(d, c.log(machine, d.name)); err != nil {
			return err
		}
	}
	return nil
}

// prepareNode starts a node's machine and containerd, and gives it the images.
func (c *Cluster) prepareNode(ctx context.Context, n node) error {
	if err := c.issueNode(n); err != nil {
		return err
	}
	if err := c.configure(n.String(), n); err != nil {
		return err
	}
	if err := c.bootNode(ctx, n); err != nil {
		return err
	}
	if err := c.startDaemons(n.String(), containerd); err != nil {
		return err
	}
	if err := c.waitContainerd(ctx, n); err != nil {
		return err
	}
	return c.importAll(ctx, n)
}

// bootNode starts a node's machine without its daemons.
func (c *Cluster) bootNode(ctx context.Context, n node) error {
	if err := makeCgroups(n); err != nil {
		return err
	}
	if err := c.machine(n.String()).boot(ctx, c.log(n.String(), "init")); err != nil {
		return err
	}
	return c.linkNode(ctx, n)
}

// join adds a prepared node to the cluster, and waits until it is ready.
func (c *Cluster) join(ctx context.Context, n node) error {
	if err := c.startDaemons(n.String(), kubelet, kubeProxy); err != nil {
		return err
	}
	if err := c.makeVolumes(ctx, n.volumes()); err != nil {
		return err
	}
	return c.waitFor(ctx, n.String(), kubelet, "the node to be ready", func() (bool, error) {
		_, err := c.kubectl(ctx, "", "wait", "--for=condition=Ready", "--timeout=1s", "node/"+n.String())
		return err == nil, nil
	})
}

// startDNS applies the objects that every cluster has, and waits until CoreDNS runs on the first node.
func (c *Cluster) startDNS(ctx context.Context, first node) error {
	addons, err := render("addons.yaml", struct{ DNS, CoreDNSImage string }{dnsService, corednsImage})
	if err != nil {
		return err
	}
	if _, err := c.kubectl(ctx, string(addons), "apply", "-f", "-"); err != nil {
		return err
	}
	return c.waitFor(ctx, first.String(), kubelet, "CoreDNS to be ready", func() (bool, error) {
		_, err := c.kubectl(ctx, "", "--namespace=kube-system", "wait", "--for=condition=Available", "--timeout=1s", "deployment/coredns")
		return err == nil, nil
	})
}

// kubectl runs kubectl as the cluster's administrator, with the given input.
func (c *Cluster) kubectl(ctx context.Context, input string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, c.bin(kubectl), append([]string{"--kubeconfig", c.kubeconfig("admin")}, args...)...)
	// A proxy of the user cannot reach the cluster.
	cmd.Env = append(os.Environ(), "NO_PROXY=*")
	cmd.Stdin = strings.NewReader(input)
	return command.Output(ctx, cmd)
}

func (c *Cluster) serves(ctx context.Context) bool {
	_, err := c.kubectl(ctx, "", "get", "--raw=/readyz", "--request-timeout=5s")
	return err == nil
}

func (c *Cluster) waitContainerd(ctx context.Context, n node) error {
	return c.waitFor(ctx, n.String(), containerd, "containerd to listen", func() (bool, error) {
		pid, err := c.machine(n.String()).pid()
		if err != nil {
			return false, err
		}
		_, err = os.Stat(containerdSocket(pid))
		return err == nil, nil
	})
}

// waitFor polls done. If that fails, the error shows the log of the daemon that was waited for, or of one that has
// ended.
func (c *Cluster) waitFor(ctx context.Context, machine, daemon, what string, done func() (bool, error)) error {
	err := command.Await(ctx, what, func() (bool, error) {
		ok, err := done()
		if ok || err != nil {
			return ok, err
		}
		return false, c.fallen()
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, errOff) {
		return fmt.Errorf("%w; %s", err, tailOf(c.log(machine, daemon)))
	}
	return err
}

// fallen returns an error if a daemon has ended that was not stopped.
func (c *Cluster) fallen() error {
	started, err := filepath.Glob(c.machine("*").pidFile("*"))
	if err != nil {
		return err
	}
	for _, file := range started {
		m := c.machine(filepath.Base(filepath.Dir(filepath.Dir(file))))
		daemon := filepath.Base(file)
		if _, err := m.daemonPID(daemon); err != nil {
			return fmt.Errorf("%w; %s", err, tailOf(c.log(m.name, daemon)))
		}
	}
	return nil
}

// check returns an error unless the cluster came up and is whole.
func (c *Cluster) check(ctx context.Context) error {
	nodes, err := c.nodes()
	if err != nil {
		return err
	}
	for _, machine := range machines(nodes) {
		for _, d := range c.daemons(machine) {
			if _, err := c.machine(machine).daemonPID(d.name); err != nil {
				return fmt.Errorf("the cluster is not whole: %w, see %s", err, c.log(machine, d.name))
			}
		}
	}
	if !c.serves(ctx) {
		return fmt.Errorf("the API server does not answer; %s", tailOf(c.log(ControlPlane, kubeAPIServer)))
	}
	return nil
}

// machines returns the names of all machines.
func machines(nodes []node) []string {
	names := make([]string, 0, 1+len(nodes))
	names = append(names, ControlPlane)
	for _, n := range nodes {
		names = append(names, n.String())
	}
	return names
}

// errDown is the error of a command that needs a cluster which is not up.
var errDown = errors.New(`the cluster is not up: run "make cluster-up"`)

// Kubeconfig returns the administrator's kubeconfig file.
func (c *Cluster) Kubeconfig(context.Context) (string, error) {
	if _, err := os.Stat(c.upMark()); err != nil {
		return "", errDown
	}
	return c.kubeconfig("admin"), nil
}

// AddNode adds a further node and waits until it is ready. When that fails, the node is removed.
func (c *Cluster) AddNode(ctx context.Context) error {
	release, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	nodes, err := c.nodes()
	if err != nil {
		return err
	}
	n := node(len(nodes) + 1)
	if n > maxNodes {
		return fmt.Errorf("the cluster has %d nodes, and its networks have no room for more", maxNodes)
	}
	if err = c.prepareNode(ctx, n); err == nil {
		err = c.join(ctx, n)
	}
	if err != nil {
		return errors.Join(err, c.removeNode(context.WithoutCancel(ctx), n))
	}
	c.progress.Sayf("%s is ready", n)
	return nil
}

func (c *Cluster) removeNode(ctx context.Context, n node) error {
	if err := c.haltNode(ctx, n); err != nil {
		return err
	}
	objects := []string{"delete", "--ignore-not-found", "--wait=false", "node/" + n.String()}
	for _, v := range n.volumes() {
		objects = append(objects, "persistentvolume/"+v.Name)
	}
	if _, err := c.kubectl(ctx, "", objects...); err != nil {
		return err
	}
	return os.RemoveAll(c.machine(n.String()).dir)
}

// nodes returns the nodes that were made, whether they are on or off.
func (c *Cluster) nodes() ([]node, error) {
	if _, err := os.Stat(c.upMark()); err != nil {
		return nil, errDown
	}
	var made []node
	for n := node(1); n <= maxNodes; n++ {
		if _, err := os.Stat(c.machine(n.String()).dir); err == nil {
			made = append(made, n)
		}
	}
	return made, nil
}
