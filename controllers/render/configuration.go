package render

import (
	"cmp"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
)

// maxConcurrency is twice what the schema allows a channel, of which a channel
// alone takes at most half, so that delivery.concurrency is the only bound and
// can change without a restart.
const maxConcurrency = 20_000

// configuration is the resource in the connector's terms.
func configuration(c *v1alpha1.ChannelConnector, creds *credentials.Credentials) *config.Config {
	return &config.Config{
		APIVersion: config.APIVersion,
		Kind:       config.Kind,
		Server:     server(c.Spec.Webhook),
		Metrics:    config.Metrics{Address: fmt.Sprintf(":%d", PortProbes)},
		Report:     reportTo(creds),
		Log:        config.Log{Level: config.LogLevel(c.Spec.Workload.LogLevel)},
		Admin:      config.Admin{Socket: config.SystemSocket},
		Inbox:      inbox(c.Spec.Inbox),
		Dispatch:   config.Dispatch{MaxConcurrency: maxConcurrency},
		Stop:       stop(c.Spec),
		Channels: []config.Channel{{
			Name:     ChannelName(c),
			Type:     config.ChannelType(c.Spec.Type),
			ZaloOA:   zaloOA(c.Spec.ZaloOA, creds),
			Webhook:  webhook(c, creds),
			Sink:     sink(c.Spec.Sink, creds),
			Delivery: delivery(c.Spec.Delivery),
		}},
	}
}

// ChannelName is the channel's name in the connector's configuration.
func ChannelName(c *v1alpha1.ChannelConnector) string { return c.Namespace + "/" + c.Name }

// reportTo lets whoever has the token, the operator, read the report.
func reportTo(creds *credentials.Credentials) config.Report {
	if creds.ReportToken == "" {
		return config.Report{}
	}
	return config.Report{Token: &config.Secret{File: FileReportToken}}
}

// server bounds the connections of the only channel.
func server(w v1alpha1.Webhook) config.Server {
	return config.Server{
		Address:        fmt.Sprintf(":%d", PortWebhook),
		MaxConnections: int(w.MaxConnections),
		MaxHeaderSize:  size(w.MaxHeaderSize),
		MaxHeaderLines: int(w.MaxHeaderLines),
	}
}

// Path is the URL path that the platform calls: the declared one, or the type's own.
func Path(c *v1alpha1.ChannelConnector) string {
	return cmp.Or(c.Spec.Webhook.Path, defaultPaths[c.Spec.Type])
}

var defaultPaths = map[v1alpha1.ChannelType]string{v1alpha1.ChannelZaloOA: config.DefaultPathZaloOA}

// window is the declared one, or the inbox's own, which is no shorter than the type
// needs. It is the same whether the default is said or not, so that to say it restarts
// no connector.
func window(i v1alpha1.Inbox) config.Duration {
	if i.DeduplicationWindow != nil {
		return config.Duration(i.DeduplicationWindow.Duration)
	}
	return max(config.DefaultDeduplicationWindow, config.MinDeduplicationWindow)
}

func inbox(i v1alpha1.Inbox) config.Inbox {
	out := config.Inbox{Type: config.InboxType(i.Type), DeduplicationWindow: window(i)}
	if store := i.Store(); store != nil {
		out.Embedded = &config.EmbeddedInbox{Path: inboxDirectory, MaxSize: size(store.Size)}
	}
	return out
}

// stop gives an Ephemeral inbox, which is deleted with its pod, the time to
// deliver what it holds, and endpoints the time to turn to the next pod. A
// Persistent one has no next pod before it has ended, so it ends at once.
func stop(spec v1alpha1.ChannelConnectorSpec) config.Stop {
	s := config.Stop{
		GracePeriod: config.Duration(time.Duration(spec.Workload.TerminationGracePeriodSeconds) * time.Second),
		Pending:     config.PendingKeep,
	}
	if spec.Inbox.Keeps(v1alpha1.StorageEphemeral) {
		s.DrainDelay, s.Pending = config.Duration(drainDelay), config.PendingDeliver
	}
	return s
}

func zaloOA(z *v1alpha1.ZaloOA, creds *credentials.Credentials) *config.ZaloOA {
	if z == nil {
		return nil
	}
	out := &config.ZaloOA{AppID: z.AppID, Signature: config.Signature{Mode: config.SignatureMode(z.Signature.Mode)}}
	for _, key := range creds.OASecretKeys {
		out.Signature.SecretKeys = append(out.Signature.SecretKeys, secret(key))
	}
	for _, account := range z.OfficialAccounts {
		listed := config.OfficialAccount{ID: account.ID, DisplayName: account.DisplayName}
		for _, key := range creds.AccountKeys[account.ID] {
			listed.SecretKeys = append(listed.SecretKeys, secret(key))
		}
		out.OfficialAccounts = append(out.OfficialAccounts, listed)
	}
	if z.DomainVerification != nil {
		out.DomainVerification.Codes = z.DomainVerification.Codes
	}
	return out
}

// secret is a credential, or the note that it is missing.
func secret(c credentials.Credential) config.Secret {
	s := config.NewSecret(c.Value)
	s.Source, s.Missing = c.Source, c.Value == ""
	return s
}

func webhook(c *v1alpha1.ChannelConnector, creds *credentials.Credentials) config.Webhook {
	w := c.Spec.Webhook
	out := config.Webhook{
		Path:        Path(c),
		MaxBodySize: size(w.MaxBodySize),
		Events:      config.EventFilter(w.Events),
	}
	if w.MaxEventAge != nil {
		age := config.Duration(w.MaxEventAge.Duration)
		out.MaxEventAge = &age
	}
	for _, key := range creds.APIKeys {
		out.APIKeys = append(out.APIKeys, config.APIKey{
			Name: key.Name, SHA256: key.SHA256, Secret: config.Secret{Source: key.Source, Missing: key.SHA256 == ""},
		})
	}
	return out
}

func sink(s v1alpha1.Sink, creds *credentials.Credentials) config.Sink {
	out := config.Sink{Type: config.SinkType(s.Type)}
	if s.HTTP == nil {
		return out
	}
	out.HTTP = &config.HTTPSink{
		URL:            s.HTTP.URL,
		Timeout:        config.Duration(s.HTTP.Timeout.Duration),
		Proxy:          s.HTTP.Proxy,
		LocalAddresses: config.LocalAddresses(s.HTTP.LocalAddresses),
	}
	if s.HTTP.URLSecretKeyRef != nil {
		out.HTTP.URLFile = fileURL
	}
	for _, header := range creds.Headers {
		out.HTTP.Headers = append(out.HTTP.Headers, config.Header{Name: header.Name, Secret: secret(header.Credential)})
	}
	if s.HTTP.SigningSecretKeyRef != nil {
		signing := secret(creds.SigningSecret)
		out.HTTP.SigningSecret = &signing
	}
	out.HTTP.TLS = sinkTLS(s.HTTP.TLS)
	return out
}

// sinkTLS names the files, which are missing while there is nothing good in them.
func sinkTLS(declared *v1alpha1.SinkTLS) *config.SinkTLS {
	if declared == nil || declared.CASecretKeyRef == nil && declared.ClientCertificateSecretRef == nil {
		return nil
	}
	tls := &config.SinkTLS{}
	if declared.CASecretKeyRef != nil {
		tls.CAFile = fileCA
	}
	if declared.ClientCertificateSecretRef != nil {
		tls.CertFile, tls.KeyFile = fileClientCert, fileClientKey
	}
	return tls
}

func delivery(d v1alpha1.Delivery) config.Delivery {
	return config.Delivery{
		Paused:      d.Paused,
		Ordering:    config.Ordering(d.Ordering),
		Concurrency: int(d.Concurrency),
		Retry: config.Retry{
			InitialBackoff: config.Duration(d.Retry.InitialBackoff.Duration),
			MaxBackoff:     config.Duration(d.Retry.MaxBackoff.Duration),
			MaxAge:         config.Duration(d.Retry.MaxAge.Duration),
		},
		DeadLetterRetention: config.Duration(d.DeadLetterRetention.Duration),
	}
}

// size is a quantity in bytes, which the schema keeps within what an int64
// holds.
func size(q resource.Quantity) config.Size { return config.Size(q.Value()) }
