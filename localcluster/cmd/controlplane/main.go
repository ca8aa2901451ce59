// Controlplane prints the folder with kube-apiserver, etcd and kubectl for the tests of controllers, which envtest
// calls KUBEBUILDER_ASSETS. `make test` runs it in the folder localcluster. The first of these that holds decides:
//
//  1. KUBEBUILDER_ASSETS is set: that folder, as it is.
//  2. The user's cache has the three: found in less than a second.
//  3. setup-envtest can download them.
//  4. They are built from the Go modules that tools/controlplane and tools/etcd pin: about 7 minutes on 2 cores, once.
//
// Stdout gets the folder and nothing else; stderr gets the progress.
package main

import (
	"context"
	"fmt"
	"os"

	"xbot.a4b.vn/channel-connector/localcluster/build"
	"xbot.a4b.vn/channel-connector/localcluster/command"
)

func main() {
	command.Main("controlplane", func(ctx context.Context) error {
		dir, err := build.ControlPlane(ctx, os.UserCacheDir, os.Stderr)
		if err == nil {
			fmt.Fprintln(os.Stdout, dir)
		}
		return err
	})
}
