package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The Dockerfile repeats user, ports and labels; a test compares them.

// user is a number, because Kubernetes cannot tell whether a name is root's.
const user = "65532:65532"

// searchPath lets "kubectl exec … -- connector status" find the program.
const searchPath = "PATH=/"

// program is what an image starts.
type program struct {
	name        string
	suffix      string // of the image's name
	description string
	ports       []string
}

var programs = []program{
	{
		name:        "connector",
		description: "Takes the webhook calls of chat channels and delivers them to bots as CloudEvents",
		ports:       []string{"8080", "9090"},
	},
	{
		name:        "operator",
		suffix:      "-operator",
		description: "Runs a connector for every ChannelConnector in Kubernetes",
		ports:       []string{"8081", "8443"},
	},
}

// build returns the image: the program, which has the time zones, and the certificate authorities.
func (b batch) build(p program, platform v1.Platform, binary []byte) (v1.Image, error) {
	layer, err := newLayer([]file{
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, content: authorities()},
		{name: p.name, mode: 0o755, content: binary},
	})
	if err != nil {
		return nil, err
	}
	base := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	base = mutate.ConfigMediaType(base, types.OCIConfigJSON)
	image, err := mutate.Append(base, mutate.Addendum{
		Layer:     layer,
		MediaType: types.OCILayer,
		History:   v1.History{CreatedBy: "make images", Created: v1.Time{Time: b.created}},
	})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = platform.OS, platform.Architecture, platform.Variant
	config.Created = v1.Time{Time: b.created}
	config.Config = v1.Config{
		User:         user,
		Entrypoint:   []string{"/" + p.name},
		Env:          []string{searchPath},
		ExposedPorts: exposed(p.ports),
		Labels:       b.labels(p),
	}
	return mutate.ConfigFile(image, config)
}

// newLayer compresses at gzip's usual level. Its best level saves nothing; its fastest, the library's default, takes an
// eighth more.
func newLayer(files []file) (v1.Layer, error) {
	var content bytes.Buffer
	if err := writeTar(&content, files); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(
		func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content.Bytes())), nil },
		tarball.WithMediaType(types.OCILayer),
		tarball.WithCompressionLevel(gzip.DefaultCompression),
		tarball.WithCompressedCaching,
	)
}

func exposed(ports []string) map[string]struct{} {
	set := make(map[string]struct{}, len(ports))
	for _, port := range ports {
		set[port+"/tcp"] = struct{}{}
	}
	return set
}

// labels are those that the OCI image specification names.
func (b batch) labels(p program) map[string]string {
	const prefix = "org.opencontainers.image."
	labels := map[string]string{
		prefix + "title":       p.name,
		prefix + "description": p.description,
		prefix + "vendor":      "xBot",
		prefix + "licenses":    "Apache-2.0",
		prefix + "version":     b.version,
		prefix + "created":     b.created.Format(time.RFC3339),
	}
	if b.revision != "" {
		labels[prefix+"revision"] = b.revision
	}
	return labels
}
