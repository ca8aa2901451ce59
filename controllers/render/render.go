// Package render turns a ChannelConnector and its credentials into the
// connector's configuration file, the only contract between the operator and
// the connector, and checks it with the connector's own loader.
package render

import (
	"fmt"
	"path"
	"syscall"
	"time"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/digest"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
)

// Where things are in a connector's container.
const (
	// Directory is where the Secret with the files is mounted.
	Directory = "/etc/connector"
	// FileName is the configuration file's. It names the format's version: a
	// format never gains a field, a new one gets a file of its own beside the old
	// ones, and the pod template names the file that its image reads. What a
	// connector reads only at its start may change with the resource only: pods
	// that wait for an upgrade would refuse every later version of the file.
	FileName = "v1alpha1.yaml"
	// InboxVolume is where the inbox's volume is mounted.
	InboxVolume = "/var/lib/connector"
	// PortWebhook is what the Service forwards to.
	PortWebhook = 8080
	// PortProbes serves probes and metrics.
	PortProbes = 9090
	// FileReportToken holds the token of the connector's report.
	FileReportToken = "report-token"
)

const (
	// inboxDirectory is a folder of its own on the volume, where some file
	// systems keep a lost+found.
	inboxDirectory = InboxVolume + "/inbox"
	// drainDelay is how long endpoints take to lose a pod that stops.
	drainDelay = 5 * time.Second

	fileURL                               = "sink-url"
	fileCA, fileClientCert, fileClientKey = "sink-ca.crt", "sink-client.crt", "sink-client.key"
)

// Config is a rendered configuration.
type Config struct {
	// Files are the contents of the mounted folder by name.
	Files map[string][]byte
	// Digest identifies Files, by the text with which a connector that has loaded them
	// identifies its configuration: 16 hex digits.
	Digest string
	// StartDigest identifies what a connector reads only when it starts: a pod
	// that runs with another one must be replaced.
	StartDigest string
}

// Render returns the configuration. An error means that the connector would
// refuse it: the resource holds something that the schema should have refused.
func Render(c *v1alpha1.ChannelConnector, creds *credentials.Credentials) (*Config, error) {
	whole := configuration(c, creds)
	file, err := whole.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode the configuration: %w", err)
	}
	atStart := config.Config{
		Server: whole.Server, Metrics: whole.Metrics, Admin: whole.Admin,
		Inbox: whole.Inbox, Dispatch: whole.Dispatch, Stop: whole.Stop,
	}
	start, err := atStart.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode the configuration: %w", err)
	}
	files := map[string][]byte{FileName: file}
	for name, content := range map[string][]byte{
		FileReportToken: []byte(creds.ReportToken), fileURL: []byte(creds.SinkURL), fileCA: creds.SinkCA, fileClientCert: creds.SinkClientCert, fileClientKey: creds.SinkClientKey,
	} {
		if len(content) > 0 {
			files[name] = content
		}
	}
	loaded, err := load(files)
	if err != nil {
		return nil, err
	}
	return &Config{Files: files, Digest: loaded.Digest(), StartDigest: digest.Text([]byte(FileName), start)}, nil
}

// InUse reads back what a connector's configuration has.
func InUse(files map[string][]byte) (*credentials.InUse, error) {
	c, err := load(files)
	if err != nil {
		return nil, err
	}
	has := &credentials.InUse{
		Values: map[string]string{}, APIKeys: map[string]string{}, SinkURL: string(files[fileURL]),
		SinkCA: files[fileCA], SinkClientCert: files[fileClientCert], SinkClientKey: files[fileClientKey],
	}
	note := func(secrets ...config.Secret) {
		for _, s := range secrets {
			has.Values[s.Source] = s.Reveal()
		}
	}
	for _, channel := range c.Channels {
		if z := channel.ZaloOA; z != nil {
			note(z.Signature.SecretKeys...)
			for _, account := range z.OfficialAccounts {
				note(account.SecretKeys...)
			}
		}
		for _, key := range channel.Webhook.APIKeys {
			has.APIKeys[key.Source] = key.SHA256
		}
		for _, header := range channel.Sink.HTTP.Headers {
			note(header.Secret)
		}
		if channel.Sink.HTTP.SigningSecret != nil {
			note(*channel.Sink.HTTP.SigningSecret)
		}
	}
	return has, nil
}

// load reads the files as the connector will.
func load(files map[string][]byte) (*config.Config, error) {
	return config.LoadFrom(path.Join(Directory, FileName), func(name string) ([]byte, error) {
		content, ok := files[path.Base(name)]
		if !ok || path.Dir(name) != Directory {
			return nil, syscall.ENOENT // as a connector's disk says it: the reason is part of the digest
		}
		return content, nil
	})
}
