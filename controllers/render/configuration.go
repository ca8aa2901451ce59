package render

import (
	"cmp"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/inbox/embedded"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// maxConcurrency is twice what the schema allows a channel, of which a channel alone takes at most half, so that
// delivery.concurrency is the only bound and can change without a restart.
const maxConcurrency = 20_000

// process is what the resource says of the connector's process.
func process(c *v1alpha1.ChannelConnector) *config.Config {
	return &config.Config{
		APIVersion: config.APIVersion,
		Kind:       config.Kind,
		Server:     server(c.Spec.Webhook),
		Metrics:    config.Metrics{Address: fmt.Sprintf(":%d", PortProbes)},
		Log:        config.Log{Level: string(c.Spec.Workload.LogLevel)},
		Admin:      config.Admin{Socket: config.SystemSocket},
		Inbox:      inbox(c.Spec),
		Dispatch:   config.Dispatch{MaxConcurrency: maxConcurrency},
		Stop:       stop(c.Spec),
	}
}

// ChannelName is the channel's name in the connector's configuration.
func ChannelName(c *v1alpha1.ChannelConnector) string { return c.Namespace + "/" + c.Name }

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
	return cmp.Or(c.Spec.Webhook.Path, types.Channel(string(c.Spec.Type)).DefaultPath)
}

// window is the declared one, or the inbox's own, which is no shorter than the type needs. It is the same whether the
// default is said or not, so that to say it restarts no connector.
func window(spec v1alpha1.ChannelConnectorSpec) config.Duration {
	if declared := spec.Inbox.DeduplicationWindow; declared != nil {
		return config.Duration(declared.Duration)
	}
	return max(config.DefaultDeduplicationWindow, types.Channel(string(spec.Type)).Window())
}

func inbox(spec v1alpha1.ChannelConnectorSpec) config.Inbox {
	out := config.Inbox{Type: string(spec.Inbox.Type), DeduplicationWindow: window(spec)}
	if store := spec.Inbox.Store(); store != nil {
		out.Settings = &embedded.Settings{Path: inboxDirectory, MaxSize: size(store.Size)}
	}
	return out
}

// stop gives an Ephemeral inbox, which is deleted with its pod, the time to deliver what it holds, and endpoints the
// time to turn to the next pod. A Persistent one has no next pod before it has ended, so it ends at once.
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

// size is a quantity in bytes, which the schema keeps within what an int64 holds.
func size(q resource.Quantity) config.Size { return config.Size(q.Value()) }
