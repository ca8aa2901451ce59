package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"xbot.a4b.vn/channel-connector/localcluster/command"
)

// setupEnvtest knows where control planes for tests are published, and verifies its downloads.
var setupEnvtest = Binary{
	Name:    "setup-envtest",
	Module:  "tools/envtest",
	Package: "sigs.k8s.io/controller-runtime/tools/setup-envtest",
}

// transfer is enough for 100 MB on a slow line; building takes no longer.
const transfer = 5 * time.Minute

var errNotPublished = errors.New("it is not published for this platform")

// download puts a published control plane into dir. Its patch version may differ from the pinned one, because not all
// are published; tests must not depend on it.
func (c Cache) download(ctx context.Context, work, dir string, pinned versions) error {
	if err := c.build(ctx, setupEnvtest, work); err != nil {
		return err
	}
	tool := filepath.Join(work, setupEnvtest.Name)
	if err := c.lookUp(ctx, tool, work, pinned.patches()); err != nil {
		return err
	}
	var unpacked string
	err := c.Progress.during("downloading with setup-envtest", func() (err error) {
		ctx, cancel := context.WithTimeout(ctx, transfer)
		defer cancel()
		unpacked, err = command.Output(ctx,
			exec.CommandContext(ctx, tool, "use", "--bin-dir", work, "--print", "path", pinned.patches()))
		return err
	})
	if err != nil {
		return err
	}
	c.Progress.Sayf("downloaded %s", filepath.Base(unpacked))
	return keep(unpacked, dir, controlPlane(pinned))
}

// lookUp fails if no patch can be downloaded.
func (c Cache) lookUp(ctx context.Context, tool, work, patches string) error {
	return c.Progress.during("asking what can be downloaded", func() error {
		ctx, cancel := context.WithTimeout(ctx, c.lookup)
		defer cancel()
		found, err := command.Output(ctx, exec.CommandContext(ctx, tool, "list", "--bin-dir", work, patches))
		if err == nil && found == "" {
			return errNotPublished
		}
		return err
	})
}

// keep moves the binaries from one folder to another, all or none.
func keep(from, to string, binaries []Binary) error {
	if absent := missing(from, binaries); len(absent) > 0 {
		return fmt.Errorf("what was downloaded has no %s", absent[0].Name)
	}
	// setup-envtest leaves the folder read-only.
	if err := os.Chmod(from, 0o755); err != nil {
		return fmt.Errorf("keep what was downloaded: %w", err)
	}
	for _, b := range binaries {
		if err := os.Rename(filepath.Join(from, b.Name), filepath.Join(to, b.Name)); err != nil {
			return fmt.Errorf("keep what was downloaded: %w", err)
		}
	}
	return nil
}
