package render

import (
	"slices"

	yaml "go.yaml.in/yaml/v3"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// Paths returns the URL paths that the platform asks for, each once: the one that it calls, and then the resource's
// public pages. A section that the connector would refuse has no pages: Render says what is wrong with it.
func Paths(c *v1alpha1.ChannelConnector) []string {
	called, kind := Path(c), types.Channel(string(c.Spec.Type))
	paths := []string{called}
	if kind.New == nil {
		return paths
	}
	var members map[string]yaml.Node
	channel := channelOf(c, v1alpha1.SecretKeyRef{}, func(Reference) config.APIKey { return config.APIKey{} })
	if channel.Decode(&members) != nil {
		return paths
	}
	section, member := kind.New(), members[kind.Member()]
	if member.Decode(section) != nil {
		return paths
	}
	return append(paths, slices.DeleteFunc(kind.PublicPaths(section), func(page string) bool { return page == called })...)
}
