package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// The kinds of cluster that need care; see localcluster/cmd/cluster.
const (
	local   = "local"
	current = "current"
)

// inCluster is a command of localcluster/cmd/cluster.
func (q *quickstart) inCluster(args ...string) line {
	return append(line{"go", "-C", "localcluster", "run", "./cmd/cluster", "-cluster", q.cluster}, args...)
}

func (q *quickstart) startCluster(ctx context.Context) error {
	if err := q.run(ctx, q.inCluster("up")); err != nil {
		return err
	}
	return q.enter(ctx)
}

// enter turns every kubectl and helm that follows to the cluster.
func (q *quickstart) enter(ctx context.Context) error {
	kubeconfig, err := output(ctx, q.inCluster("kubeconfig"))
	if err != nil {
		return err
	}
	if err := os.Setenv("KUBECONFIG", kubeconfig); err != nil {
		return err
	}
	if q.cluster != local {
		return nil // whoever has a cluster has a kubectl
	}
	if q.binaries, err = output(ctx, line{"go", "-C", "localcluster", "run", "./cmd/controlplane"}); err != nil {
		return err
	}
	return os.Setenv("PATH", q.binaries+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// loadImages makes the images for this machine's kind of processor only.
func (q *quickstart) loadImages(ctx context.Context) error {
	if q.cluster == current {
		fmt.Fprintf(q.out, "The cluster pulls %s and %s: see that it can.\n", q.connectorImage(), q.operatorImage())
		return nil
	}
	err := q.run(ctx, line{
		"make", "--no-print-directory", "images",
		"PLATFORMS=linux/" + runtime.GOARCH, "IMAGE=" + q.image, "VERSION=" + q.version,
	})
	if err != nil {
		return err
	}
	folder, err := filepath.Abs(filepath.Join("dist", "images"))
	if err != nil {
		return err
	}
	archive := func(program string) string {
		return filepath.Join(folder, fmt.Sprintf("%s-linux-%s.tar", program, runtime.GOARCH))
	}
	return q.run(ctx, q.inCluster("load-image", archive("connector"), archive("operator")))
}

func (q *quickstart) connectorImage() string { return q.image + ":" + q.version }
func (q *quickstart) operatorImage() string  { return q.image + "-operator:" + q.version }

// ours fails where the namespace is somebody else's, who would miss it afterwards.
func (q *quickstart) ours(ctx context.Context) error {
	const by = `{.metadata.labels.app\.kubernetes\.io/managed-by}`
	found, err := output(ctx, kubectl("get", "namespace", namespace, "--ignore-not-found", "--output=jsonpath={.metadata.name} by "+by))
	if err == nil && found != "" && found != namespace+" by quickstart" {
		return fmt.Errorf("the cluster has a namespace %q that this quickstart did not make: it leaves it alone, and has no other name for its own", namespace)
	}
	return err
}

func (q *quickstart) installOperator(ctx context.Context) error {
	if err := q.ours(ctx); err != nil {
		return err
	}
	if err := q.apply(ctx, "namespace.yaml", nil); err != nil {
		return err
	}
	return q.run(ctx, helm(
		"upgrade", "--install", "--hide-notes", release, "charts/channel-connector",
		"--set-string", "connector.image.repository="+q.image,
		"--set-string", "connector.image.tag="+q.version,
		"--set-string", "operator.image.repository="+q.image+"-operator",
		"--set-string", "operator.image.tag="+q.version,
		"--set", "crds.keep=false", // nothing stays after quickstart-down
		"--wait", timeout,
	))
}

// down removes everything. Of the user's own cluster, only what is in it of the
// quickstart goes.
func (q *quickstart) down(ctx context.Context) error {
	steps := []step{{"Remove the cluster", q.removeCluster, nil}}
	if q.cluster == current {
		steps = []step{
			{"Remove everything from the cluster", q.empty, []line{kubectl("get", "all")}},
			{"Forget which cluster it was", q.removeCluster, nil},
		}
	}
	return play(ctx, q.out, steps)
}

func (q *quickstart) removeCluster(ctx context.Context) error {
	return q.run(ctx, q.inCluster("down"))
}

func (q *quickstart) empty(ctx context.Context) error {
	if err := q.enter(ctx); err != nil {
		return err
	}
	if err := q.ours(ctx); err != nil {
		return err
	}
	if err := q.run(ctx, helm("uninstall", release, "--ignore-not-found", "--wait", timeout)); err != nil {
		return err
	}
	return q.run(ctx, kubectl("delete", "namespace", namespace, "--ignore-not-found", timeout))
}
