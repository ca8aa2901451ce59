package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// setupEnvtest knows where control planes for tests are published, and verifies
// what it downloads.
var setupEnvtest = binary{
	name:   "setup-envtest",
	module: "tools/envtest",
	pkg:    "sigs.k8s.io/controller-runtime/tools/setup-envtest",
}

// transfer is enough for 100 MB on a slow line; building takes no longer.
const transfer = 5 * time.Minute

var errNotPublished = errors.New("it is not published for this platform")

// download puts a published control plane into dir. It may be of another patch
// than the pinned one, because only some are published; tests must not depend on
// one.
func (s setup) download(ctx context.Context, work, dir string, pinned versions) error {
	if err := s.build(ctx, setupEnvtest, work); err != nil {
		return err
	}
	tool := filepath.Join(work, setupEnvtest.name)
	if err := s.lookUp(ctx, tool, work, pinned.patches()); err != nil {
		return err
	}
	var unpacked string
	err := s.progress.during("downloading with setup-envtest", func() (err error) {
		ctx, cancel := context.WithTimeout(ctx, transfer)
		defer cancel()
		unpacked, err = execute(ctx, work, tool, "use", "--bin-dir", work, "--print", "path", pinned.patches())
		return err
	})
	if err != nil {
		return err
	}
	s.progress.sayf("downloaded %s", filepath.Base(unpacked))
	return keep(unpacked, dir, controlPlane(pinned))
}

// lookUp fails when no patch can be downloaded.
func (s setup) lookUp(ctx context.Context, tool, work, patches string) error {
	return s.progress.during("asking what can be downloaded", func() error {
		ctx, cancel := context.WithTimeout(ctx, s.lookup)
		defer cancel()
		found, err := execute(ctx, work, tool, "list", "--bin-dir", work, patches)
		if err == nil && found == "" {
			return errNotPublished
		}
		return err
	})
}

// keep moves the binaries from one folder to another, all or none.
func keep(from, to string, binaries []binary) error {
	if absent := missing(from, binaries); len(absent) > 0 {
		return fmt.Errorf("what was downloaded has no %s", absent[0].name)
	}
	// setup-envtest leaves the folder read-only.
	if err := os.Chmod(from, 0o755); err != nil {
		return fmt.Errorf("keep what was downloaded: %w", err)
	}
	for _, b := range binaries {
		if err := os.Rename(filepath.Join(from, b.name), filepath.Join(to, b.name)); err != nil {
			return fmt.Errorf("keep what was downloaded: %w", err)
		}
	}
	return nil
}
