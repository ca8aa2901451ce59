// Controlplane prints the folder with the kube-apiserver, etcd and kubectl that
// tests of controllers start: what envtest calls KUBEBUILDER_ASSETS. `make test`
// runs it, in the repository's top folder. The first of these that holds decides:
//
//  1. KUBEBUILDER_ASSETS is set: that folder, as it is.
//  2. The user's cache has the three: found in less than a second.
//  3. setup-envtest can download them.
//  4. They are built from the Go modules that tools/controlplane and tools/etcd
//     pin: about 7 minutes on 2 cores, once.
//
// Stdout gets the folder and nothing else; stderr tells what takes so long.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

const assetsVariable = "KUBEBUILDER_ASSETS"

const advice = `
What to do: see that the Go module proxy can be reached (go env GOPROXY) and that
some 4 GiB of disk are free, then run "make assets" again: what was built is kept.
Or set KUBEBUILDER_ASSETS to a folder that has kube-apiserver, etcd and kubectl.`

func main() {
	//nolint:forbidigo // the program's own context, which Ctrl-C ends
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.UserCacheDir, os.Stdout, os.Stderr)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, userCache func() (string, error), stdout, stderr io.Writer) error {
	if dir := os.Getenv(assetsVariable); dir != "" {
		fmt.Fprintln(stdout, dir)
		return nil
	}
	cache, err := userCache()
	if err != nil {
		return fmt.Errorf("no folder to keep the control plane in: %w; set HOME, XDG_CACHE_HOME or %s",
			err, assetsVariable)
	}
	s := setup{
		// Outside the checkout, because making a control plane takes minutes.
		cache:    filepath.Join(cache, "xbot-channel-connector", "kube"),
		lookup:   20 * time.Second,
		progress: progress{out: stderr, every: 15 * time.Second},
	}
	dir, err := s.assets(ctx)
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted; what was built is kept, the next run goes on from there")
	case err != nil:
		return fmt.Errorf("%w\n%s", err, advice)
	}
	fmt.Fprintln(stdout, dir)
	return nil
}
