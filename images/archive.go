package main

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/distribution/reference"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// file is a file of a tar archive.
type file struct {
	name    string
	mode    int64
	content []byte
}

// writeTar writes the files in their order, each after its folders. Their owner is root and their time 1970, so that
// the same files give the same bytes.
func writeTar(w io.Writer, files []file) error {
	archive := tar.NewWriter(w)
	made := map[string]bool{".": true}
	for _, f := range files {
		if err := writeFolder(archive, path.Dir(f.name), made); err != nil {
			return err
		}
		header := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), ModTime: time.Unix(0, 0)}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(f.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

func writeFolder(archive *tar.Writer, name string, made map[string]bool) error {
	if made[name] {
		return nil
	}
	made[name] = true
	if err := writeFolder(archive, path.Dir(name), made); err != nil {
		return err
	}
	return archive.WriteHeader(&tar.Header{
		Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: time.Unix(0, 0),
	})
}

// writeArchive writes the image under its name, all or nothing.
func writeArchive(name string, ref reference.NamedTagged, image v1.Image) (err error) {
	files, err := archiveFiles(ref, image)
	if err != nil {
		return err
	}
	partial := name + ".partial"
	out, err := os.Create(partial) //nolint:gosec // the user names the folder
	if err != nil {
		return fmt.Errorf("write the archive: %w", err)
	}
	defer func() { _ = os.Remove(partial) }() // not there when all went well
	if err := writeTar(out, files); err != nil {
		_ = out.Close()
		return fmt.Errorf("write %s: %w", partial, err)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("write %s: %w", partial, err)
	}
	return os.Rename(partial, name)
}

// archiveFiles returns the parts of an OCI image layout, and manifest.json.
func archiveFiles(ref reference.NamedTagged, image v1.Image) ([]file, error) {
	index, err := newIndex(ref, image)
	if err != nil {
		return nil, err
	}
	files, legacy, err := blobs(image)
	if err != nil {
		return nil, err
	}
	legacy.RepoTags = []string{reference.FamiliarString(ref)}
	manifest, err := json.Marshal(tarball.Manifest{legacy})
	if err != nil {
		return nil, err
	}
	return append(files,
		file{name: "index.json", mode: 0o644, content: index},
		file{name: "manifest.json", mode: 0o644, content: manifest},
		file{name: "oci-layout", mode: 0o644, content: []byte(`{"imageLayoutVersion":"1.0.0"}`)},
	), nil
}

// newIndex names the image for containerd in full and for others by its tag, as Docker does.
func newIndex(ref reference.NamedTagged, image v1.Image) ([]byte, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	return mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: image,
		Descriptor: v1.Descriptor{
			Platform: config.Platform(),
			Annotations: map[string]string{
				"io.containerd.image.name":          ref.String(),
				"org.opencontainers.image.ref.name": ref.Tag(),
			},
		},
	}).RawManifest()
}

// blobs returns the image's parts, and their places as manifest.json gives them.
func blobs(image v1.Image) ([]file, tarball.Descriptor, error) {
	var where tarball.Descriptor
	manifest, err := image.Manifest()
	if err != nil {
		return nil, where, err
	}
	digest, err := image.Digest()
	if err != nil {
		return nil, where, err
	}
	raw, err := image.RawManifest()
	if err != nil {
		return nil, where, err
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return nil, where, err
	}
	where.Config = blobName(manifest.Config.Digest)
	files := []file{
		{name: blobName(digest), mode: 0o644, content: raw},
		{name: where.Config, mode: 0o644, content: config},
	}
	for _, l := range manifest.Layers {
		content, err := layerContent(image, l.Digest)
		if err != nil {
			return nil, where, err
		}
		where.Layers = append(where.Layers, blobName(l.Digest))
		files = append(files, file{name: blobName(l.Digest), mode: 0o644, content: content})
	}
	return files, where, nil
}

func blobName(digest v1.Hash) string { return path.Join("blobs", digest.Algorithm, digest.Hex) }

func layerContent(image v1.Image, digest v1.Hash) ([]byte, error) {
	layer, err := image.LayerByDigest(digest)
	if err != nil {
		return nil, err
	}
	content, err := layer.Compressed()
	if err != nil {
		return nil, err
	}
	defer func() { _ = content.Close() }()
	return io.ReadAll(content)
}
