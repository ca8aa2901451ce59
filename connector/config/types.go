package config

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"math"
	"time"
)

// The version and kind that a configuration file must name.
const (
	APIVersion = "connector.xbot.a4b.vn/v1alpha1"
	Kind       = "ConnectorConfig"
)

// Config is the connector's configuration file. Paths in it are absolute or relative to the file's own folder. The file
// and every file that it names are watched; a change is applied without a restart, except for server, metrics, admin,
// inbox, dispatch and stop, which are read at start only. Of inbox, the size is applied as well.
type Config struct {
	// APIVersion is "connector.xbot.a4b.vn/v1alpha1". Required.
	APIVersion string `yaml:"apiVersion,omitempty"`
	// Kind is "ConnectorConfig". Required.
	Kind string `yaml:"kind,omitempty"`
	// Server is the listener that platforms call.
	Server Server `yaml:"server,omitempty"`
	// Metrics is the listener for /metrics, /healthz and /readyz, and for /report if there is a token for it.
	Metrics Metrics `yaml:"metrics,omitempty"`
	// Report is the report of the traffic on the metrics' listener.
	Report Report `yaml:"report,omitempty"`
	// Log says what the process logs.
	Log Log `yaml:"log,omitempty"`
	// Admin is the listener behind "connector status" and "connector deadletters".
	Admin Admin `yaml:"admin,omitempty"`
	// Inbox is the durable store between the way in and the way out. Required.
	Inbox Inbox `yaml:"inbox,omitempty"`
	// Dispatch bounds deliveries over all channels.
	Dispatch Dispatch `yaml:"dispatch,omitempty"`
	// Stop says how the process ends.
	Stop Stop `yaml:"stop,omitempty"`
	// Channels are the chat channels that this process serves. Each call finds its channel by its API key, so no two
	// channels may share a key; they may share a path.
	Channels []Channel `yaml:"channels,omitempty"`

	digest   string
	files    []string
	warnings []Problem
	lacks    []Problem
	// document is the file itself.
	document  []byte
	materials materials
	// types are all types that the file may name.
	types Types
}

// Server is the webhook's listener.
type Server struct {
	// Address is the host and port to listen on. Default: ":8080".
	Address string `yaml:"address,omitempty"`
	// TLS serves HTTPS if it is set. A change of either file is applied without a restart.
	TLS *ServerTLS `yaml:"tls,omitempty"`
	// MaxConnections is the number of connections at once. Beyond it an older connection is closed for a new one: the
	// oldest that has shown no API key if such connections hold over 1/16 of the places, otherwise one that has brought
	// no verified call. A connection that has brought a new verified event is never closed for another; such
	// connections hold at most 7/8 of the places. At least 16. Default: as many as memory and descriptors allow.
	MaxConnections int `yaml:"maxConnections,omitempty"`
	// MaxHeaderSize is the largest request line and header, in bytes; a larger one is answered 431. It also bounds how
	// much is read from a connection that has not yet shown an API key. From 1Ki to 64Ki. Default: 8Ki.
	MaxHeaderSize Size `yaml:"maxHeaderSize,omitempty"`
	// MaxHeaderLines is the largest number of header lines of a call; more are answered 431. From 10 to 1000. Default:
	// 100.
	MaxHeaderLines int `yaml:"maxHeaderLines,omitempty"`
	// MaxInFlight is the number of calls served at once. If there are more, the call that has waited longest for its
	// body is cut off; if none waits, the new one is refused. Both are answered 503 with Retry-After. If there are
	// several channels, each leaves a ninth to the others. Default: 1024.
	MaxInFlight int `yaml:"maxInFlight,omitempty"`
	// MaxBufferedBytes is the memory that the arrived parts of all bodies in flight may take together; beyond it calls
	// give way as beyond maxInFlight. The bodies under way to the sinks may take as much again. At least the largest
	// maxBodySize. If the memory limit has less room, that room is the bound. Default: 64Mi.
	MaxBufferedBytes Size `yaml:"maxBufferedBytes,omitempty"`
}

// ServerTLS names the server's certificate.
type ServerTLS struct {
	// CertFile is the PEM certificate chain. Required.
	CertFile string `yaml:"certFile,omitempty" file:"path"`
	// KeyFile is the PEM private key. Required.
	KeyFile string `yaml:"keyFile,omitempty" file:"path"`

	certificate *tls.Certificate
}

// Certificate returns the certificate and key that Load has read and checked.
func (s *ServerTLS) Certificate() *tls.Certificate { return s.certificate }

// Metrics is the listener for probes and Prometheus.
type Metrics struct {
	// Address is the host and port to listen on. This listener asks for no password, so name an address that only
	// Prometheus and probes reach; the operator writes ":9090", for kubelet and Prometheus. Default: "127.0.0.1:9090".
	Address string `yaml:"address,omitempty"`
}

// Report is a small JSON document for monitors such as the operator: how traffic stands, and since when.
type Report struct {
	// Token must come with every request for the report, as "Authorization: Bearer <token>". At least 16 characters.
	// Without a token there is no report.
	Token *Secret `yaml:"token,omitempty"`
}

// Log says what the process logs.
type Log struct {
	// Level is the least important line to write: "debug", "info", "warn" or "error". Default: "info".
	Level string `yaml:"level,omitempty"`
}

// Admin is the listener for the command line. A program that reaches it can read and delete events. At most one of
// socket and address is set.
type Admin struct {
	// Socket is the path of a unix socket, at most 107 bytes as an absolute path. Only root and the connector's own
	// user can open it. Default: "$XDG_RUNTIME_DIR/connector/admin.sock", else inbox.embedded.path + ".admin.sock".
	Socket string `yaml:"socket,omitempty" file:"path"`
	// Address is a loopback host and port to listen on in place of a socket. It asks for no password: every user and
	// every program of the machine can read and delete events there. Default: none.
	Address string `yaml:"address,omitempty"`
}

// Inbox is the store. Exactly the member named by type is set.
type Inbox struct {
	// Type is the kind of store: "Embedded". Default: "Embedded".
	Type string `yaml:"type,omitempty"`
	// DeduplicationWindow is how long the id of an event is remembered, so that a retry by the platform is recognised. At
	// least what each type of the channels needs. Default: 24h, or the longest of those.
	DeduplicationWindow Duration `yaml:"deduplicationWindow,omitempty"`
	// Settings is the section of the type.
	Settings Section `yaml:"-"`
}

// Dispatch bounds deliveries over all channels.
type Dispatch struct {
	// MaxConcurrency is the largest number of delivery attempts under way over all channels. No channel takes more than
	// the others leave free, and each can always make at least one. Default: 1024.
	MaxConcurrency int `yaml:"maxConcurrency,omitempty"`
}

// PendingPolicy says what happens to undelivered events when the process stops.
type PendingPolicy string

const (
	// PendingKeep leaves them in the inbox for the next start.
	PendingKeep PendingPolicy = "Keep"
	// PendingDeliver delivers them until the grace period nears its end. It is for an inbox that is deleted with its
	// pod.
	PendingDeliver PendingPolicy = "Deliver"
)

// DefaultGracePeriod is also that of a Kubernetes pod.
const DefaultGracePeriod = 30 * time.Second

// Stop says how the process ends after SIGTERM.
type Stop struct {
	// DrainDelay is how long calls are still served after readiness fails, so that load balancers can take the endpoint
	// out. Default: 5s.
	DrainDelay Duration `yaml:"drainDelay"`
	// GracePeriod is the longest time from SIGTERM to the end of the process. Under Kubernetes:
	// terminationGracePeriodSeconds. Must be longer than drainDelay. Default: 30s.
	GracePeriod Duration `yaml:"gracePeriod,omitempty"`
	// Pending is "Keep" or "Deliver". Default: "Keep".
	Pending PendingPolicy `yaml:"pending,omitempty"`
}

// Channel is one chat channel and the sink of its events. Exactly the member named by type is set.
type Channel struct {
	// Name identifies the channel in the inbox, metrics, logs and the CloudEvents attribute "channel"; under the
	// operator "<namespace>/<name>". Renaming a channel leaves its pending events behind under the old name. Unique, at
	// most 320 bytes, without white space. Required.
	Name string `yaml:"name,omitempty"`
	// Type is the kind of platform, for example "ZaloOA". Required.
	Type string `yaml:"type,omitempty"`
	// Settings is the section of the type.
	Settings Section `yaml:"-"`
	// Webhook is the way in. Required.
	Webhook Webhook `yaml:"webhook,omitempty"`
	// Sink is the way out. Required.
	Sink Sink `yaml:"sink,omitempty"`
	// Delivery says how events reach the sink.
	Delivery Delivery `yaml:"delivery,omitempty"`
}

// Sink is where events go. Exactly the member named by type is set.
type Sink struct {
	// Type is the kind of sink: "HTTP". Default: "HTTP".
	Type string `yaml:"type,omitempty"`
	// Settings is the section of the type.
	Settings Section `yaml:"-"`
}

// Webhook says how the platform reaches the channel.
type Webhook struct {
	// Path is the URL path, without a query or escapes; not "/", "/healthz" or a page of a type. A call to the path
	// with one more slash at its end is served too. Default: that of the type.
	Path string `yaml:"path,omitempty"`
	// APIKeys are the accepted keys: each of them lets calls in. At least one; two during a rotation. Required.
	APIKeys []APIKey `yaml:"apiKeys,omitempty"`
	// MaxEventAge is how old the timestamp of a call with a right signature may be. An older call may be a replay, or
	// our clock may be ahead: it is answered 503, so that the platform's retries keep the event, and counted as
	// "stale". "0s" judges no age; otherwise it is at least what the type needs. If it is longer than
	// inbox.deduplicationWindow, a captured call can be let in again. Default: inbox.deduplicationWindow.
	MaxEventAge *Duration `yaml:"maxEventAge,omitempty"`
	// MaxBodySize is the largest body accepted, in bytes; a larger one is answered 413. At most 64Mi. Default: 1Mi.
	MaxBodySize Size `yaml:"maxBodySize,omitempty"`
	// Events selects what is delivered by the platform's event name.
	Events EventFilter `yaml:"events,omitempty"`
}

// APIKey is one key. Exactly one of sha256, value, file and missing is set. A key of fewer than 16 characters is
// refused. A key of fewer than 32 characters causes a warning, and so does one with + & % ; or #: a URL changes these
// characters.
type APIKey struct {
	// Name tells keys apart in messages. Unique within the channel. Required.
	Name string `yaml:"name,omitempty"`
	// SHA256 is the SHA-256 of the key, as 64 hex digits.
	SHA256 string `yaml:"sha256,omitempty"`
	Secret `yaml:",inline"`
}

// Usable reports whether the key is there and can let calls in.
func (k APIKey) Usable() bool { return k.SHA256 != "" || k.Reveal() != "" }

// Digest returns the SHA-256 of the key. The channel of a call is found by it.
func (k APIKey) Digest() [sha256.Size]byte {
	if k.SHA256 == "" {
		return k.Secret.Digest()
	}
	var digest [sha256.Size]byte
	_, _ = hex.Decode(digest[:], []byte(k.SHA256)) // checked by Load
	return digest
}

// EventFilter selects events by name. A pattern may hold "*" for any text.
type EventFilter struct {
	// Include lists the patterns of events to deliver. Default: ["*"].
	Include []string `yaml:"include,omitempty"`
	// Exclude lists the patterns to leave out, and wins over include. Leave out "oa_send_*", "user_seen_message" and
	// "user_received_message" unless the bot must see its own messages come back. Default: none.
	Exclude []string `yaml:"exclude,omitempty"`
}

// Ordering says whether events wait for each other.
type Ordering string

const (
	// PerConversation delivers the events of each conversation one by one, in the order of their acceptance.
	PerConversation Ordering = "PerConversation"
	// Unordered delivers every event without waiting for others.
	Unordered Ordering = "Unordered"
)

// Delivery says how events reach the sink.
type Delivery struct {
	// Paused holds accepted events back from the sink. Default: false.
	Paused bool `yaml:"paused,omitempty"`
	// Ordering is "PerConversation" or "Unordered". A change applies to events that are accepted after it. Default:
	// "PerConversation".
	Ordering Ordering `yaml:"ordering,omitempty"`
	// Concurrency is the largest number of attempts under way at once. At most 10000. Default: 64.
	Concurrency int `yaml:"concurrency,omitempty"`
	// Retry is the schedule after a failed attempt.
	Retry Retry `yaml:"retry,omitempty"`
	// DeadLetterRetention is how long dead letters are kept for redrive. Default: 168h.
	DeadLetterRetention Duration `yaml:"deadLetterRetention,omitempty"`
}

// Retry is exponential backoff with full jitter. A longer Retry-After of the sink is honoured, up to 1 h.
type Retry struct {
	// InitialBackoff bounds the wait after the first failed attempt; the bound doubles with each further one. Default:
	// 1s.
	InitialBackoff Duration `yaml:"initialBackoff,omitempty"`
	// MaxBackoff is the largest bound. Default: 5m.
	MaxBackoff Duration `yaml:"maxBackoff,omitempty"`
	// MaxAge is the age, without paused time, from which a failed attempt makes an event a dead letter. Every event
	// gets at least one attempt. Default: 24h.
	MaxAge Duration `yaml:"maxAge,omitempty"`
}

// defaultDeduplicationWindow is the default of inbox.deduplicationWindow if no type of channel needs a longer one.
const defaultDeduplicationWindow = Duration(24 * time.Hour)

// windowByTypes stands for the default until the channels' types are known.
const windowByTypes = Duration(math.MinInt64)

func (c *Config) setDefaults() {
	c.Server = Server{Address: ":8080", MaxHeaderSize: 8 << 10, MaxHeaderLines: 100, MaxInFlight: 1024, MaxBufferedBytes: 64 << 20}
	c.Metrics.Address = "127.0.0.1:9090"
	c.Log.Level = "info"
	c.Inbox.DeduplicationWindow = windowByTypes
	c.Dispatch.MaxConcurrency = 1024
	c.Stop = Stop{
		DrainDelay:  Duration(5 * time.Second),
		GracePeriod: Duration(DefaultGracePeriod),
		Pending:     PendingKeep,
	}
}

func (c *Channel) setDefaults() {
	c.Webhook.MaxBodySize = 1 << 20
	c.Webhook.Events.Include = []string{"*"}
	c.Delivery = Delivery{
		Ordering:    PerConversation,
		Concurrency: 64,
		Retry: Retry{
			InitialBackoff: Duration(time.Second),
			MaxBackoff:     Duration(5 * time.Minute),
			MaxAge:         Duration(24 * time.Hour),
		},
		DeadLetterRetention: Duration(7 * 24 * time.Hour),
	}
}
