// Images packs the programs into container images, one OCI archive for each program and platform; `make images` runs
// it. No Docker is needed, and nothing of the machine gets into an image: the same commit gives the same bytes
// everywhere.
//
// An archive is laid out as "docker save" does it, so that everything takes it: an OCI image layout for containerd,
// skopeo and podman, with a manifest.json for crane and for Docker's older image store.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// maxSize of a compressed image, which every node has to pull.
const maxSize = 25 << 20

func main() {
	b := batch{maxSize: maxSize}
	flag.StringVar(&b.binaries, "binaries", "../dist/bin", "the folder with the programs, as linux/amd64/connector")
	flag.StringVar(&b.out, "out", "../dist/images", "the folder to write the archives to")
	flag.StringVar(&b.image, "image", "channel-connector", "the connector's image; the operator's has -operator added")
	flag.StringVar(&b.version, "version", "dev", "the version, which becomes the tag")
	flag.StringVar(&b.revision, "revision", "", "the commit, for a label")
	created := flag.Int64("created", 0, "the commit's time, in seconds since 1970")
	flag.Parse()
	b.created = time.Unix(*created, 0).UTC()
	if err := b.run(flag.Args(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

// batch holds the settings of all images of one run.
type batch struct {
	binaries, out            string
	image, version, revision string
	created                  time.Time
	maxSize                  int64
}

// run makes the images of every program for the named platforms, such as linux/arm64, and tells their sizes.
func (b batch) run(platforms []string, stdout io.Writer) error {
	if len(platforms) == 0 {
		return errors.New("name a platform, such as linux/amd64")
	}
	if err := os.MkdirAll(b.out, 0o755); err != nil { //nolint:gosec // what is built is for everybody
		return fmt.Errorf("make the folder for the archives: %w", err)
	}
	for _, name := range platforms {
		platform, err := v1.ParsePlatform(name)
		if err != nil {
			return fmt.Errorf("platform %s: %w", name, err)
		}
		for _, p := range programs {
			if err := b.pack(p, *platform, stdout); err != nil {
				return fmt.Errorf("%s for %s: %w", p.name, name, err)
			}
		}
	}
	return nil
}

// pack makes one archive.
func (b batch) pack(p program, platform v1.Platform, stdout io.Writer) error {
	ref, err := b.reference(p)
	if err != nil {
		return err
	}
	binary, err := os.ReadFile(filepath.Join(b.binaries, platform.OS, platform.Architecture, p.name))
	if err != nil {
		return fmt.Errorf("read the program, which \"make images\" builds: %w", err)
	}
	image, err := b.build(p, platform, binary)
	if err != nil {
		return err
	}
	size, err := compressedSize(image)
	if err != nil {
		return err
	}
	if size > b.maxSize {
		return fmt.Errorf("the image has %s compressed, more than the %s that it may have", mebibytes(size), mebibytes(b.maxSize))
	}
	name := filepath.Join(b.out, strings.Join([]string{p.name, platform.OS, platform.Architecture}, "-")+".tar")
	if err := writeArchive(name, ref, image); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s  %s  %s\n", name, reference.FamiliarString(ref), mebibytes(size))
	return err
}

// reference returns the image's full name, as container runtimes look it up.
func (b batch) reference(p program) (reference.NamedTagged, error) {
	name, err := reference.ParseNormalizedNamed(b.image + p.suffix)
	if err != nil {
		return nil, fmt.Errorf("image %q: %w", b.image+p.suffix, err)
	}
	if !reference.IsNameOnly(name) {
		return nil, fmt.Errorf("image %q: want a name without tag and digest; the version becomes the tag", b.image)
	}
	ref, err := reference.WithTag(name, b.version)
	if err != nil {
		return nil, fmt.Errorf("version %q cannot be an image's tag: %w", b.version, err)
	}
	return ref, nil
}

func mebibytes(size int64) string { return fmt.Sprintf("%.1f MiB", float64(size)/(1<<20)) }

// compressedSize returns how many bytes a node has to pull.
func compressedSize(image v1.Image) (int64, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return 0, err
	}
	size := manifest.Config.Size
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	return size, nil
}
