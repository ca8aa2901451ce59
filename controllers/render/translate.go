package render

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	yaml "go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// The spec of a resource and a channel in the connector's file have the same fields, except those that name Secrets or
// ConfigMaps. So a new type of channel or sink needs no code here:
//
//   - secretKeyRefs: [{name, key}] becomes secretKeys: [{value, source}].
//   - secretKeyRef: {name, key} becomes value and source beside its neighbours.
//   - A longer name, such as signingSecretKeyRef: {name, key}, becomes signingSecret: {value, source}.
//   - A field of ownFiles becomes the name of a file beside the configuration file.
//   - A field with the tag connector:"-" is the operator's alone: it does not stand in the file.

// Kind is a kind of object that holds values.
type Kind string

// The kinds.
const (
	KindSecret    Kind = "Secret"
	KindConfigMap Kind = "ConfigMap"
)

// Object is an object of the resource's namespace that holds values.
type Object struct {
	Kind Kind
	Name string
}

// String is the object in a message: Secret "shop-zalo".
func (o Object) String() string { return fmt.Sprintf("%s %q", o.Kind, o.Name) }

// Reference is a key of a Secret or ConfigMap that a resource names. What is said of Secret keys holds for both.
type Reference struct {
	// Path is the field that names it, such as "spec.webhook.apiKeys[0].secretKeyRef".
	Path string
	// Field is where its value stands in the connector's file.
	Field string
	Object
	Key string
	Use Use
	// File is the name of the value's own file; empty if it gets none.
	File string
}

// Use is the purpose of a Secret key.
type Use int

const (
	// SigningKey verifies calls. The Secret keys in the lists secretKeyRefs of a channel's type do.
	SigningKey Use = iota
	// ChannelSecret is any other one of a channel's type.
	ChannelSecret
	// APIKey lets calls in.
	APIKey
	// Credential opens the sink or the inbox.
	Credential
	// Certificate is PEM for connections to either, or for those of callers.
	Certificate
	// PlatformCredential opens the platform's API. It is the operator's alone: no pod gets it.
	PlatformCredential
)

// OfSink reports whether the sink needs the Secret key.
func (r Reference) OfSink() bool { return strings.HasPrefix(r.Path, "spec.sink.") }

// Limit bounds the value, in bytes without white space around, as the connector does.
func (r Reference) Limit() int {
	if r.Use == Certificate && strings.HasSuffix(r.File, "-"+bundle) {
		return config.MaxBundle
	}
	return config.MaxSecret
}

// GeneratedPath is the Path of the generated API key, which no field names.
const GeneratedPath = "generated"

// ownFile is a file for the value of a Secret key. Its full name begins with the section: "sink-ca.crt".
type ownFile struct {
	field, name string
	use         Use
	// key is that of the Secret, if the reference does not say it.
	key string
}

// TLSPath is the Path of the webhook's certificate and key.
const TLSPath = "spec.workload.tls.secretName"

// bundle is the name of a file with authorities, which may be many.
const bundle = "ca.crt"

// ownFiles are by the names of the references.
var ownFiles = map[string][]ownFile{
	"urlSecretKeyRef": {{field: "urlFile", name: "url", use: Credential}},
	// One of the two is set.
	"caSecretKeyRef":    {{field: "caFile", name: bundle, use: Certificate}},
	"caConfigMapKeyRef": {{field: "caFile", name: bundle, use: Certificate}},
	"tls": {
		{field: "certFile", name: "tls.crt", use: Certificate, key: corev1.TLSCertKey},
		{field: "keyFile", name: "tls.key", use: Certificate, key: corev1.TLSPrivateKeyKey},
	},
	"clientCertificateSecretRef": {
		{field: "certFile", name: "client.crt", use: Certificate, key: corev1.TLSCertKey},
		{field: "keyFile", name: "client.key", use: Certificate, key: corev1.TLSPrivateKeyKey},
	},
}

// elsewhere are the fields that stand outside of the channels in the connector's file.
var elsewhere = map[string]bool{
	"spec.inbox": true, "spec.workload": true, "spec.exposure": true,
	"spec.webhook.maxConnections": true, "spec.webhook.maxHeaderSize": true, "spec.webhook.maxHeaderLines": true,
}

// References lists the Secret keys that a resource names, in the order of its fields, those of the inbox and the workload
// last. If it names no API key, generated stands for one.
func References(c *v1alpha1.ChannelConnector, generated v1alpha1.SecretKeyRef) (all []Reference) {
	list := func(r Reference) config.APIKey {
		all = append(all, r)
		return config.APIKey{}
	}
	channelOf(c, generated, list)
	all = append(all, registering(c)...)
	inboxOf(c.Spec, list)
	serverTLS(c.Spec.Workload, list)
	return all
}

// registering lists the Secret keys with which the operator registers the webhook, if it is declared to do so.
func registering(c *v1alpha1.ChannelConnector) (all []Reference) {
	member := c.Spec.Channel()
	if registrar, ok := member.(v1alpha1.Registrar); !ok || !registrar.Registers() {
		return nil
	}
	path := "spec." + types.Channel(string(c.Spec.Type)).Member()
	for f, value := range reflect.Indirect(reflect.ValueOf(member)).Fields() {
		ref, ok := reflect.TypeAssert[*v1alpha1.SecretKeyRef](value)
		if !ok || ref == nil || !operators(f) {
			continue
		}
		at := path + "." + fieldName(f)
		all = append(all, Reference{Path: at, Field: at, Object: Object{KindSecret, ref.Name}, Key: ref.Key, Use: PlatformCredential})
	}
	return all
}

// operators reports whether a field is the operator's alone.
func operators(f reflect.StructField) bool { return f.Tag.Get("connector") == "-" }

func fieldName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// translation writes parts of a resource in the connector's terms.
type translation struct {
	// stand returns the part of the connector's file that stands for a Secret key.
	stand func(r Reference) config.APIKey
	// generated: the operator generates the API key. ignored: the connector uses no Secret key of this section.
	generated, ignored bool
}

// channelOf returns the resource as a channel in the connector's file.
func channelOf(c *v1alpha1.ChannelConnector, generated v1alpha1.SecretKeyRef, stand func(r Reference) config.APIKey) *yaml.Node {
	spec := c.Spec
	t := translation{stand: stand, generated: len(spec.Webhook.APIKeys) == 0}
	if t.generated {
		spec.Webhook.APIKeys = []v1alpha1.APIKey{{Name: GeneratedPath, SecretKeyRef: generated}}
	}
	spec.Webhook.Path = Path(c)
	channel := &yaml.Node{Kind: yaml.MappingNode}
	set(channel, "name", text(ChannelName(c)))
	channel.Content = append(channel.Content, t.section(reflect.ValueOf(spec), "spec", "channels[0]").Content...)
	return channel
}

// inboxOf returns the inbox in the connector's terms, as far as the resource declares it.
func inboxOf(spec v1alpha1.ChannelConnectorSpec, stand func(r Reference) config.APIKey) *yaml.Node {
	return translation{stand: stand}.section(reflect.ValueOf(spec.Inbox), "spec.inbox", "inbox")
}

// serverTLS returns the names of the files with the webhook's certificate; nil if it is served by plain HTTP.
func serverTLS(w v1alpha1.Workload, stand func(r Reference) config.APIKey) *config.ServerTLS {
	if w.TLS == nil {
		return nil
	}
	names := &yaml.Node{Kind: yaml.MappingNode}
	translation{stand: stand}.files(names, "tls", Reference{Path: TLSPath, Object: Object{KindSecret, w.TLS.SecretName}}, "server.tls")
	out := &config.ServerTLS{}
	_ = names.Decode(out) // two texts
	return out
}

// section returns a struct of the resource. Of the members of a union it has only that of the type.
func (t translation) section(v reflect.Value, path, field string) *yaml.Node {
	out := &yaml.Node{Kind: yaml.MappingNode}
	if member, ok := reflect.TypeAssert[interface{ IgnoresSecrets() bool }](v); ok {
		t.ignored = member.IgnoresSecrets()
	}
	kind := v.FieldByName("Type")
	for f, value := range v.Fields() {
		name := fieldName(f)
		from := path + "." + name
		other := kind.IsValid() && !strings.EqualFold(name, kind.String()) && members()[name]
		ignored := t.ignored && f.Type == reflect.TypeFor[[]v1alpha1.SecretKeyRef]()
		if !empty(value) && !other && !ignored && !elsewhere[from] && !operators(f) {
			t.member(out, name, value, from, field)
		}
	}
	return out
}

// members are the fields of all types of channels, inboxes and sinks.
var members = sync.OnceValue(func() map[string]bool {
	known, all := types.Config(), map[string]bool{}
	for _, t := range slices.Concat(known.Channels, known.Inboxes, known.Sinks) {
		all[t.Member()] = true
	}
	return all
})

// empty reports whether a field is left out. A reference that is no pointer always stays.
func empty(v reflect.Value) bool {
	return v.IsZero() && v.Type() != reflect.TypeFor[v1alpha1.SecretKeyRef]() || v.Kind() == reflect.Slice && v.Len() == 0
}

// member adds a field of a struct.
func (t translation) member(out *yaml.Node, name string, v reflect.Value, path, parent string) {
	field := parent + "." + name
	switch x := v.Interface().(type) {
	case *v1alpha1.SecretRef:
		t.files(out, name, Reference{Path: path, Object: Object{KindSecret, x.Name}}, parent)
	case *v1alpha1.ConfigMapKeyRef:
		t.files(out, name, Reference{Path: path, Object: Object{KindConfigMap, x.Name}, Key: x.Key}, parent)
	case *v1alpha1.SecretKeyRef:
		t.reference(out, name, *x, path, parent)
	case v1alpha1.SecretKeyRef:
		t.reference(out, name, x, path, parent)
	case []v1alpha1.SecretKeyRef:
		name = strings.TrimSuffix(name, "Refs") + "s"
		keys := &yaml.Node{Kind: yaml.SequenceNode}
		for i, ref := range x {
			keys.Content = append(keys.Content, t.secret(ref, SigningKey, index(path, i), index(parent+"."+name, i)))
		}
		set(out, name, keys)
	default:
		set(out, name, t.value(v, path, field))
	}
}

// reference adds a field that names one Secret key.
func (t translation) reference(out *yaml.Node, name string, ref v1alpha1.SecretKeyRef, path, parent string) {
	switch short := strings.TrimSuffix(name, "KeyRef"); {
	case ownFiles[name] != nil:
		t.files(out, name, Reference{Path: path, Object: Object{KindSecret, ref.Name}, Key: ref.Key}, parent)
	case short == "secret":
		out.Content = append(out.Content, t.secret(ref, ChannelSecret, path, parent).Content...)
	default:
		set(out, short, t.secret(ref, ChannelSecret, path, parent+"."+short))
	}
}

// value returns the value of a field that names no Secret itself.
func (t translation) value(v reflect.Value, path, field string) *yaml.Node {
	switch x := v.Interface().(type) {
	case metav1.Duration:
		return scalar("!!str", x.Duration.String()) // a number with a unit is no number
	case resource.Quantity:
		return scalar("!!str", strconv.FormatInt(x.Value(), 10)) // a text, which gets quotes
	}
	switch v.Kind() {
	case reflect.Pointer:
		return t.value(v.Elem(), path, field)
	case reflect.Struct:
		return t.section(v, path, field)
	case reflect.Slice:
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for i := range v.Len() {
			list.Content = append(list.Content, t.value(v.Index(i), index(path, i), index(field, i)))
		}
		return list
	case reflect.String:
		return text(v.String())
	case reflect.Bool:
		return scalar("!!bool", strconv.FormatBool(v.Bool()))
	case reflect.Int, reflect.Int32, reflect.Int64:
		return scalar("!!int", strconv.FormatInt(v.Int(), 10))
	default:
		return node(v.Interface())
	}
}

// secret returns what stands for a Secret key. Use is that of one in the member of a channel's type.
func (t translation) secret(ref v1alpha1.SecretKeyRef, use Use, path, field string) *yaml.Node {
	r := Reference{Path: path, Field: field, Object: Object{KindSecret, ref.Name}, Key: ref.Key, Use: use}
	switch {
	case strings.HasPrefix(path, "spec.webhook."):
		if r.Use = APIKey; t.generated {
			r.Path = GeneratedPath
		}
	case r.OfSink(), strings.HasPrefix(path, "spec.inbox."):
		r.Use = Credential
	}
	stands := t.stand(r)
	if reflect.ValueOf(stands).IsZero() { // nothing is written, only listed
		return &yaml.Node{Kind: yaml.MappingNode}
	}
	return node(stands)
}

// files adds the names of the files that stand for a reference, of which the path, the object and perhaps the key are
// known.
func (t translation) files(out *yaml.Node, name string, known Reference, parent string) {
	section, _, _ := strings.Cut(strings.TrimPrefix(known.Path, "spec."), ".")
	for _, file := range ownFiles[name] {
		r := known
		r.Field, r.Use, r.File = parent+"."+file.field, file.use, section+"-"+file.name
		r.Key = cmp.Or(file.key, r.Key)
		t.stand(r)
		set(out, file.field, text(r.File))
	}
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// node returns a value in YAML. The values of a resource, and the keys of a channel, can all be written. The encoder has
// large buffers, and events of resources come here as well: numbers, truths and most texts are made without it.
func node(value any) *yaml.Node {
	n := &yaml.Node{}
	_ = n.Encode(value)
	return n
}

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

// word is a text that YAML takes for nothing else, unless it is one of otherWords.
var word = regexp.MustCompile(`^[A-Za-z/][-A-Za-z0-9_./]*$`)

// otherWords are truths and nothings of YAML 1.1 and 1.2, in lower case.
var otherWords = map[string]bool{
	"y": true, "n": true, "yes": true, "no": true, "on": true, "off": true, "true": true, "false": true, "null": true,
}

// text is node of a text. Most texts are words.
func text(s string) *yaml.Node {
	if word.MatchString(s) && !otherWords[strings.ToLower(s)] {
		return scalar("!!str", s)
	}
	return node(s)
}

func set(section *yaml.Node, name string, value *yaml.Node) {
	section.Content = append(section.Content, text(name), value)
}
