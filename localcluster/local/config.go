package local

import (
	"bytes"
	"embed"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"text/template"
)

//go:embed config
var configFiles embed.FS

// settings are what the templates below config/ are filled with.
type settings struct {
	Node, Cgroup, PodNetwork string
	Bin, Etc, PKI            string
	Pods, DNS, PauseImage    string
}

func (c *Cluster) settings(machine string, n node) settings {
	return settings{
		Node: n.String(), Cgroup: n.cgroup(), PodNetwork: n.podNetwork(),
		Bin: c.bin(""), Etc: c.config(machine, ""), PKI: c.pki(""),
		Pods: podNetwork, DNS: dnsService, PauseImage: pauseImage,
	}
}

// render fills one of the templates.
func render(name string, with any) ([]byte, error) {
	files, err := template.New(name).Option("missingkey=error").ParseFS(configFiles, path.Join("config", name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var text bytes.Buffer
	if err := files.Execute(&text, with); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return text.Bytes(), nil
}

// configure writes the files of a machine's daemons.
func (c *Cluster) configure(machine string, n node) error {
	with := c.settings(machine, n)
	for template, file := range map[string]string{
		"containerd.toml": "containerd.toml",
		"cni.conflist":    "cni/pods.conflist",
		"kubelet.yaml":    "kubelet.yaml",
		"kube-proxy.yaml": "kube-proxy.yaml",
	} {
		text, err := render(template, with)
		if err != nil {
			return err
		}
		if err := writeFile(c.config(machine, file), text); err != nil {
			return err
		}
	}
	return writeFile(c.config(machine, "resolv.conf"), nil)
}

// writeFile writes a file and makes its folder.
func writeFile(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
