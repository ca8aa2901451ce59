package render

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	yaml "go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/inbox/embedded"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// maxConcurrency is twice the schema's bound on a channel. A channel takes at most half of it, so delivery.concurrency
// is the only bound and can change without a restart.
const maxConcurrency = 20_000

// process returns the configuration of the connector's process, without channels.
func process(c *v1alpha1.ChannelConnector, stand func(Reference) config.APIKey) (*config.Config, error) {
	store, err := inbox(c.Spec, stand)
	return &config.Config{
		APIVersion: config.APIVersion,
		Kind:       config.Kind,
		Server:     server(c.Spec, stand),
		Metrics:    config.Metrics{Address: fmt.Sprintf(":%d", PortProbes)},
		Log:        config.Log{Level: string(c.Spec.Workload.LogLevel)},
		Admin:      config.Admin{Socket: config.SystemSocket},
		Inbox:      store,
		Dispatch:   config.Dispatch{MaxConcurrency: maxConcurrency},
		Stop:       stop(c.Spec),
	}, err
}

// ChannelName is the channel's name in the connector's configuration.
func ChannelName(c *v1alpha1.ChannelConnector) string { return c.Namespace + "/" + c.Name }

// server bounds the connections of the only channel.
func server(spec v1alpha1.ChannelConnectorSpec, stand func(Reference) config.APIKey) config.Server {
	w := spec.Webhook
	return config.Server{
		Address:        fmt.Sprintf(":%d", PortWebhook),
		TLS:            serverTLS(spec.Workload, stand),
		MaxConnections: int(w.MaxConnections),
		MaxHeaderSize:  size(w.MaxHeaderSize),
		MaxHeaderLines: int(w.MaxHeaderLines),
	}
}

// Path returns the URL path that the platform calls: the declared one, or the type's default.
func Path(c *v1alpha1.ChannelConnector) string {
	return cmp.Or(c.Spec.Webhook.Path, types.Channel(string(c.Spec.Type)).DefaultPath)
}

// window returns the declared window, or the inbox's default if the type needs no longer one. A declared default gives
// the same file as none, so that it restarts no connector.
func window(spec v1alpha1.ChannelConnectorSpec) config.Duration {
	if declared := spec.Inbox.DeduplicationWindow; declared != nil {
		return config.Duration(declared.Duration)
	}
	return config.DefaultWindow(types.Channel(string(spec.Type)).Type)
}

// inbox has the member of its type, as the channel has. Of an Embedded one the section says what the pod gives to it.
func inbox(spec v1alpha1.ChannelConnectorSpec, stand func(Reference) config.APIKey) (config.Inbox, error) {
	out := config.Inbox{Type: string(spec.Inbox.Type), DeduplicationWindow: window(spec)}
	if store := spec.Inbox.Store(); store != nil {
		out.Settings = &embedded.Settings{Path: inboxDirectory, MaxSize: size(store.Size)}
		return out, nil
	}
	i := slices.IndexFunc(types.Inboxes, func(t config.Type) bool { return t.Name == out.Type })
	if i < 0 {
		return out, nil // the connector's loader says so
	}
	out.Settings = types.Inboxes[i].New()
	declared := map[string]any{}
	if err := inboxOf(spec, stand).Decode(declared); err != nil {
		return out, fmt.Errorf("the inbox: %w", err)
	}
	member := declared[types.Inboxes[i].Member()]
	if member == nil {
		return out, nil
	}
	section, err := yaml.Marshal(member)
	if err != nil {
		return out, fmt.Errorf("encode the inbox: %w", err)
	}
	strict := yaml.NewDecoder(bytes.NewReader(section))
	strict.KnownFields(true)
	if err := strict.Decode(out.Settings); err != nil {
		return out, fmt.Errorf("the inbox: %w", err)
	}
	return out, nil
}

// stop gives endpoints the time to turn to the next pod, and an Ephemeral inbox the time to deliver its events, since
// it is deleted with its pod. A Persistent inbox gets no next pod before its end, so it ends at once.
func stop(spec v1alpha1.ChannelConnectorSpec) config.Stop {
	s := config.Stop{
		GracePeriod: config.Duration(time.Duration(spec.Workload.TerminationGracePeriodSeconds) * time.Second),
		Pending:     config.PendingKeep,
	}
	if !spec.Inbox.Keeps(v1alpha1.StoragePersistent) {
		s.DrainDelay = config.Duration(drainDelay)
	}
	if spec.Inbox.Keeps(v1alpha1.StorageEphemeral) {
		s.Pending = config.PendingDeliver
	}
	return s
}

// size returns a quantity in bytes. The schema keeps it within an int64.
func size(q resource.Quantity) config.Size { return config.Size(q.Value()) }
