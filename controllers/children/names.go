package children

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"regexp"
	"strings"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/marks"
)

const (
	connectorSuffix = "-connector"
	apiKeySuffix    = "-api-key"
	// maxInstance leaves room for the longest suffix in the 63 characters that a Service's name may have.
	maxInstance = 63 - len(connectorSuffix)
	hashLength  = 8
)

// serviceName is what a Service may be called (a label of RFC 1035); every other child's name may be that as well.
var serviceName = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)

// Instance is the value of LabelInstance and LabelConnector for a ChannelConnector's name, and what the names of its
// children begin with: the name itself where that can be the name of a Service, otherwise as much of it as fits and a
// hash of it.
func Instance(name string) string {
	if len(name) <= maxInstance && serviceName.MatchString(name) {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	readable := strings.ReplaceAll(name, ".", "-")
	if readable[0] < 'a' || readable[0] > 'z' {
		readable = "c-" + readable
	}
	readable = readable[:min(len(readable), maxInstance-hashLength-1)]
	return strings.TrimRight(readable, "-") + "-" + hex.EncodeToString(sum[:])[:hashLength]
}

// ConnectorName is the name of every child but the generated API key.
func ConnectorName(name string) string { return Instance(name) + connectorSuffix }

// APIKeyName is the name of the Secret with the generated API key.
func APIKeyName(name string) string { return Instance(name) + apiKeySuffix }

// Labels are those of every child that goes with its ChannelConnector.
func Labels(name string) map[string]string {
	labels := Selector(name)
	labels[marks.LabelComponent] = "connector"
	labels[marks.LabelPartOf] = "channel-connector"
	labels[marks.LabelManagedBy] = marks.ManagedBy
	labels[marks.LabelConnector] = Instance(name)
	return labels
}

// keptLabels are those of a child that outlives its ChannelConnector. By the label of the instance Argo CD takes what
// has no owner for its own application's, and prunes it.
func keptLabels(name string) map[string]string {
	labels := Labels(name)
	delete(labels, marks.LabelInstance)
	return labels
}

// Selector are the labels that select a ChannelConnector's pods. They cannot change for a Deployment that exists.
func Selector(name string) map[string]string {
	return map[string]string{marks.LabelName: "channel-connector", marks.LabelInstance: Instance(name)}
}

// keptAnnotations are those of a child that outlives its ChannelConnector.
func keptAnnotations(c *v1alpha1.ChannelConnector) map[string]string {
	kept := annotations(c)
	maps.Copy(kept, marks.Unprunable)
	if c.UID != "" {
		kept[marks.AnnotationUID] = string(c.UID)
	}
	return kept
}

// annotations are those of every child.
func annotations(c *v1alpha1.ChannelConnector) map[string]string {
	return map[string]string{marks.AnnotationConnector: c.Name}
}
