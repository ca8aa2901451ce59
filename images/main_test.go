package main

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const platform = "linux/arm64"

// newBatch has programs with the given content. The packer reads them as bytes, so they need not be programs.
func newBatch(t *testing.T, content []byte) batch {
	t.Helper()
	b := batch{
		binaries: t.TempDir(), out: filepath.Join(t.TempDir(), "new", "folder"),
		image: "channel-connector", version: "v1.2.3", revision: "4f2a",
		created: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC), maxSize: maxSize,
	}
	folder := filepath.Join(b.binaries, filepath.FromSlash(platform))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, p := range programs {
		if err := os.WriteFile(filepath.Join(folder, p.name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// packOperator returns the archive of the operator.
func (b batch) packOperator(t *testing.T) string {
	t.Helper()
	if err := b.run([]string{platform}, io.Discard); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(b.out, "operator-linux-arm64.tar")
}

// TestEveryReaderSeesTheSameImage: crane and Docker's older store read manifest.json, everything else the OCI layout.
func TestEveryReaderSeesTheSameImage(t *testing.T) {
	archive := newBatch(t, []byte("program")).packOperator(t)
	crane, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		t.Fatal(err)
	}
	oci := readLayout(t, archive)
	configs := make(map[string]v1.Image)
	for name, image := range map[string]v1.Image{"manifest.json": crane, "OCI": oci} {
		if err := validate.Image(image); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		config, err := image.ConfigName()
		if err != nil {
			t.Fatal(err)
		}
		configs[config.String()] = image
	}
	if len(configs) != 1 {
		t.Errorf("the readers see different images: %v", configs)
	}
}

// TestNames: containerd keeps the full name, and the kubelet asks for it when a pod names the image in short.
func TestNames(t *testing.T) {
	for image, want := range map[string][]string{
		"channel-connector":         {"docker.io/library/channel-connector-operator:v1.2.3", "channel-connector-operator:v1.2.3"},
		"registry.test:5000/xbot/c": {"registry.test:5000/xbot/c-operator:v1.2.3", "registry.test:5000/xbot/c-operator:v1.2.3"},
	} {
		t.Run(image, func(t *testing.T) {
			b := newBatch(t, nil)
			b.image = image
			archive := b.packOperator(t)
			manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(archive) })
			if err != nil {
				t.Fatal(err)
			}
			descriptor := readIndex(t, archive).Manifests[0]
			got := []string{descriptor.Annotations["io.containerd.image.name"], manifest[0].RepoTags[0]}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if tag := descriptor.Annotations["org.opencontainers.image.ref.name"]; tag != "v1.2.3" {
				t.Errorf("the OCI name is %q, want the tag", tag)
			}
			if got := descriptor.Platform.String(); got != platform {
				t.Errorf("the platform is %s, want %s", got, platform)
			}
		})
	}
}

// TestConfig: what the image says of itself.
func TestConfig(t *testing.T) {
	got, err := readLayout(t, newBatch(t, []byte("program")).packOperator(t)).ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	created := v1.Time{Time: time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC)}
	want := &v1.ConfigFile{
		OS: "linux", Architecture: "arm64", Created: created,
		History: []v1.History{{CreatedBy: "make images", Created: created}},
		RootFS:  got.RootFS, // checked with the content
		Config: v1.Config{
			User:         "65532:65532",
			Entrypoint:   []string{"/operator"},
			Env:          []string{"PATH=/"},
			ExposedPorts: map[string]struct{}{"8081/tcp": {}, "8443/tcp": {}},
			Labels: map[string]string{
				"org.opencontainers.image.title":       "operator",
				"org.opencontainers.image.description": "Runs a connector for every ChannelConnector in Kubernetes",
				"org.opencontainers.image.vendor":      "xBot",
				"org.opencontainers.image.licenses":    "Apache-2.0",
				"org.opencontainers.image.version":     "v1.2.3",
				"org.opencontainers.image.revision":    "4f2a",
				"org.opencontainers.image.created":     "2026-11-25T08:00:00Z",
			},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestContent: an image holds two files, which root owns and others read.
func TestContent(t *testing.T) {
	content := mutate.Extract(readLayout(t, newBatch(t, []byte("program")).packOperator(t)))
	defer content.Close()
	type entry struct {
		Name     string
		Folder   bool
		Mode     int64
		UID, GID int
	}
	var got []entry
	files := tar.NewReader(content)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, entry{header.Name, header.FileInfo().IsDir(), header.Mode, header.Uid, header.Gid})
		if header.Name != "operator" {
			continue
		}
		if text, err := io.ReadAll(files); err != nil || string(text) != "program" {
			t.Errorf("the program is %q (%v)", text, err)
		}
	}
	want := []entry{
		{Name: "etc", Folder: true, Mode: 0o755},
		{Name: "etc/ssl", Folder: true, Mode: 0o755},
		{Name: "etc/ssl/certs", Folder: true, Mode: 0o755},
		{Name: "etc/ssl/certs/ca-certificates.crt", Mode: 0o644},
		{Name: "operator", Mode: 0o755},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestReproducible: neither folder nor time nor the mode of a file gets in.
func TestReproducible(t *testing.T) {
	first, second := newBatch(t, []byte("program")), newBatch(t, []byte("program"))
	program := filepath.Join(second.binaries, platform, "operator")
	if err := os.Chtimes(program, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	a, b := readFile(t, first.packOperator(t)), readFile(t, second.packOperator(t))
	if !bytes.Equal(a, b) {
		t.Error("the same program gave two different archives")
	}
}

func TestRefuses(t *testing.T) {
	// Random bytes cannot be compressed.
	large := make([]byte, 2<<20)
	_, _ = rand.Read(large)
	for name, c := range map[string]struct {
		change    func(*batch)
		platforms string
		want      string
	}{
		"an image too large": {
			func(b *batch) { b.maxSize = 1 << 20 }, platform,
			"connector for linux/arm64: the image has 2.1 MiB compressed, more than the 1.0 MiB that it may have",
		},
		"a version that is no tag": {func(b *batch) { b.version = "1.0+dirty" }, platform, `version "1.0+dirty" cannot be an image's tag`},
		"a name that is none":      {func(b *batch) { b.image = "Shop" }, platform, `image "Shop": `},
		"a name with a tag":        {func(b *batch) { b.image = "shop:1" }, platform, `image "shop:1": `},
		"an unknown platform":      {func(*batch) {}, "a/b/c/d", "platform a/b/c/d: "},
		"what was not built":       {func(*batch) {}, "linux/riscv64", `"make images" builds`},
		"no platform":              {func(*batch) {}, "", "name a platform"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBatch(t, large)
			c.change(&b)
			err := b.run(strings.Fields(c.platforms), io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if left, _ := filepath.Glob(filepath.Join(b.out, "*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// readLayout reads the image as an OCI layout.
func readLayout(t *testing.T, archive string) v1.Image {
	t.Helper()
	path, err := layout.FromPath(unpack(t, archive))
	if err != nil {
		t.Fatal(err)
	}
	image, err := path.Image(readIndex(t, archive).Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func readIndex(t *testing.T, archive string) *v1.IndexManifest {
	t.Helper()
	index, err := layout.ImageIndexFromPath(unpack(t, archive))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 {
		t.Fatalf("the archive has %d images, want one", len(manifest.Manifests))
	}
	return manifest
}

func unpack(t *testing.T, archive string) string {
	t.Helper()
	folder := t.TempDir()
	files := tar.NewReader(bytes.NewReader(readFile(t, archive)))
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return folder
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := unpackOne(filepath.Join(folder, header.Name), header, files); err != nil {
			t.Fatal(err)
		}
	}
}

func unpackOne(name string, header *tar.Header, content io.Reader) error {
	if header.Typeflag == tar.TypeDir {
		return os.Mkdir(name, header.FileInfo().Mode())
	}
	text, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	return os.WriteFile(name, text, header.FileInfo().Mode())
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
