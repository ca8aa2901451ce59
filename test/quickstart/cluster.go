package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// timeout is patience in kubectl's words.
var timeout = "--timeout=" + patience.String()

// inCluster is a command of test/cluster.
func inCluster(args ...string) command {
	return append(command{"go", "run", "./test/cluster"}, args...)
}

func (q *quickstart) startCluster(ctx context.Context) error {
	if err := q.run(ctx, inCluster("up")); err != nil {
		return err
	}
	kubeconfig, err := output(ctx, inCluster("kubeconfig"))
	if err != nil {
		return err
	}
	// For every kubectl and helm that this program starts.
	return os.Setenv("KUBECONFIG", kubeconfig)
}

// loadImages makes the images for the machine's kind of processor only.
func (q *quickstart) loadImages(ctx context.Context) error {
	platform := "linux/" + runtime.GOARCH
	err := q.run(ctx, command{"make", "--no-print-directory", "images", "PLATFORMS=" + platform, "IMAGE=" + q.image, "VERSION=" + q.version})
	if err != nil {
		return err
	}
	for _, program := range []string{"connector", "operator"} {
		archive := filepath.Join("dist", "images", fmt.Sprintf("%s-linux-%s.tar", program, runtime.GOARCH))
		if err := q.run(ctx, inCluster("load-image", archive)); err != nil {
			return err
		}
	}
	return nil
}

func (q *quickstart) connectorImage() string { return q.image + ":" + q.version }

func (q *quickstart) installOperator(ctx context.Context) error {
	return q.run(ctx, helm(
		"upgrade", "--install", release, "charts/channel-connector",
		"--namespace", operatorNamespace, "--create-namespace",
		"--set-string", "connector.image.repository="+q.image,
		"--set-string", "connector.image.tag="+q.version,
		"--set-string", "operator.image.repository="+q.image+"-operator",
		"--set-string", "operator.image.tag="+q.version,
		"--wait", timeout,
	))
}

func helm(args ...string) command {
	return append(command{"go", "tool", "-modfile=tools/helm/go.mod", "helm"}, args...)
}

// down removes the cluster, and with it everything that is in it.
func (q *quickstart) down(ctx context.Context) error {
	return play(ctx, q.out, []step{{"Remove the cluster", func(ctx context.Context) error {
		return q.run(ctx, inCluster("down"))
	}, nil}})
}
