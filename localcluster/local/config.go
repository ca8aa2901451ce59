package local

import (
	"bytes"
	"embed"
	"os"
	"path/filepath"
	"text/template"
)

//go:embed config
var configFiles embed.FS

var templates = template.Must(template.New("").Option("missingkey=error").ParseFS(configFiles, "config/*"))

// render fills in one of the templates below config/.
func render(name string, with any) ([]byte, error) {
	var text bytes.Buffer
	err := templates.ExecuteTemplate(&text, name, with)
	return text.Bytes(), err
}

// configure writes the files of a machine's daemons.
func (c *Cluster) configure(machine string, n node) error {
	with := map[string]string{
		"Node": n.String(), "Cgroup": n.cgroup(), "PodNetwork": n.podNetwork(),
		"Bin": c.bin(""), "Etc": c.config(machine, ""), "PKI": c.pki(""),
		"Pods": podNetwork, "DNS": dnsService, "PauseImage": pauseImage,
	}
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
