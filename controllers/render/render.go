// Package render turns a ChannelConnector and its credentials into the connector's configuration file, and checks it
// with the connector's own loader. The file is the only contract between the operator and the connector.
package render

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"syscall"
	"time"

	yaml "go.yaml.in/yaml/v3"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/digest"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// Where things are in a connector's container.
const (
	// Directory is where the Secret with the files is mounted.
	Directory = "/etc/connector"
	// FileName is that of the configuration file, and names the version of its format. A format never gains a field: a
	// new format gets a file of its own beside the old ones, and the pod template names the file that its image reads.
	// The sections that a connector reads only at its start may change with the resource only: pods that wait for an
	// upgrade would refuse every later version of the file.
	FileName = "v1alpha1.yaml"
	// InboxVolume is where the inbox's volume is mounted.
	InboxVolume = "/var/lib/connector"
	// PortWebhook is what the Service forwards to.
	PortWebhook = 8080
	// PortProbes serves probes and metrics.
	PortProbes = 9090
	// FileReportToken holds the token of the connector's report.
	FileReportToken = "report-token"
	// FileCertificate holds the certificate of workload.tls.
	FileCertificate = "workload-tls.crt"
)

const (
	// inboxDirectory is a folder on the volume, whose root may hold a lost+found.
	inboxDirectory = InboxVolume + "/inbox"
	// drainDelay is how long endpoints take to lose a pod that stops.
	drainDelay = 5 * time.Second
)

// Config is a rendered configuration.
type Config struct {
	// Files are the contents of the mounted folder by name.
	Files map[string][]byte
	// Digest identifies Files: 16 hex digits, the same as the digest that a connector shows once it has loaded them.
	Digest string
	// StartDigest identifies the sections that a connector reads only at its start: a pod with another digest must be
	// replaced.
	StartDigest string
}

// Certificates are those that have an end of which to warn: with which the connector serves, and which it shows to
// others.
func (c *Config) Certificates() (chains [][]byte) {
	for name, content := range c.Files {
		if strings.HasSuffix(name, ".crt") && !strings.HasSuffix(name, "-"+bundle) {
			chains = append(chains, content)
		}
	}
	return chains
}

// Credentials are the values of the Secret keys that a resource names.
type Credentials struct {
	// Values are by the fields of the connector's file, as in Reference.Field.
	Values map[string]Value
	// ReportToken must come with every request for the connector's report; empty if there is no report.
	ReportToken string
}

// Servable reports whether a connector can serve with the credentials: the pair of workload.tls is there, if it is
// declared.
func (c *Credentials) Servable(connector *v1alpha1.ChannelConnector) bool {
	missing := false
	serverTLS(connector.Spec.Workload, func(r Reference) config.APIKey {
		missing = missing || c.Values[r.Field].Text == ""
		return config.APIKey{}
	})
	return !missing
}

// Value is the value of a Secret key. Text is empty while no value can be used; an API key has only its digest, as 64
// hex digits. Source is "<Secret>/<key>".
type Value struct{ Text, SHA256, Source string }

// Render returns the configuration. An error means that the connector would refuse it: the schema let a wrong resource
// pass.
func Render(c *v1alpha1.ChannelConnector, creds *Credentials) (*Config, error) {
	files := map[string][]byte{}
	stand := func(r Reference) config.APIKey {
		v := creds.Values[r.Field]
		if r.File != "" && v.Text != "" {
			files[r.File] = []byte(v.Text)
		}
		return config.APIKey{SHA256: v.SHA256, Secret: config.Secret{Value: v.Text, Missing: v.Text+v.SHA256 == "", Source: v.Source}}
	}
	channel := channelOf(c, v1alpha1.SecretKeyRef{}, stand)
	whole, err := process(c, stand)
	if err != nil {
		return nil, err
	}
	start := config.Config{
		Server: whole.Server, Metrics: whole.Metrics, Admin: whole.Admin, Inbox: whole.Inbox.AtStart(),
		Dispatch: whole.Dispatch, Stop: whole.Stop,
	}
	if creds.ReportToken != "" {
		whole.Report.Token = &config.Secret{File: FileReportToken}
		files[FileReportToken] = []byte(creds.ReportToken)
	}
	if files[FileName], err = encode(whole, channel); err != nil {
		return nil, err
	}
	atStart, err := start.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode the configuration: %w", err)
	}
	loaded, err := load(files)
	if err != nil {
		return nil, err
	}
	return &Config{Files: files, Digest: loaded.Digest(), StartDigest: digest.Text([]byte(FileName), atStart)}, nil
}

// encode returns the configuration file of a process with one channel.
func encode(process *config.Config, channel *yaml.Node) ([]byte, error) {
	head, err := process.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode the configuration: %w", err)
	}
	file := bytes.NewBuffer(head)
	encoder := yaml.NewEncoder(file)
	encoder.SetIndent(2) // as config.Config.Encode does
	if err := encoder.Encode(map[string][]*yaml.Node{"channels": {channel}}); err != nil {
		return nil, fmt.Errorf("encode the channel: %w", err)
	}
	return file.Bytes(), nil
}

// InUse are the credentials in a connector's configuration.
type InUse struct {
	// Values and APIKeys are by their sources; APIKeys are digests.
	Values, APIKeys map[string]string
	// Files are the files beside the configuration file, as in Reference.File.
	Files map[string][]byte
}

// ReadBack returns the credentials in a connector's configuration.
func ReadBack(files map[string][]byte) (*InUse, error) {
	if _, err := load(files); err != nil {
		return nil, err
	}
	var file any
	if err := yaml.Unmarshal(files[FileName], &file); err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	has := &InUse{Values: map[string]string{}, APIKeys: map[string]string{}, Files: files}
	has.note(file)
	return has, nil
}

// note notes every secret in a part of the file: each says its source.
func (u *InUse) note(part any) {
	switch part := part.(type) {
	case []any:
		for _, element := range part {
			u.note(element)
		}
	case map[string]any:
		for _, member := range part {
			u.note(member)
		}
		source, _ := part["source"].(string)
		if value, ok := part["value"].(string); ok {
			u.Values[source] = value
		}
		if sum, ok := part["sha256"].(string); ok {
			u.APIKeys[source] = sum
		}
	}
}

// load reads the files as the connector will.
func load(files map[string][]byte) (*config.Config, error) {
	return config.LoadFrom(path.Join(Directory, FileName), types.Config(), func(name string) ([]byte, error) {
		content, ok := files[path.Base(name)]
		if !ok || path.Dir(name) != Directory {
			return nil, syscall.ENOENT // the reason of a connector's disk, which is part of the digest
		}
		return content, nil
	})
}
