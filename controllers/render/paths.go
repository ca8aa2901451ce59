package render

import (
	"slices"

	yaml "go.yaml.in/yaml/v3"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// Paths returns the URL paths that the platform asks for, each once: the one that it calls, and then the resource's
// public pages.
func Paths(c *v1alpha1.ChannelConnector) []string {
	called := Path(c)
	return append([]string{called}, slices.DeleteFunc(pages(c), func(page string) bool { return page == called })...)
}

// pages returns the paths of the public pages.
func pages(c *v1alpha1.ChannelConnector) []string {
	kind := types.Channel(string(c.Spec.Type))
	if section := sectionOf(c, kind); section != nil {
		return kind.PublicPaths(section)
	}
	return nil
}

// Calls returns the URLs that the resource's type calls by itself.
func Calls(c *v1alpha1.ChannelConnector) []string {
	kind := types.Channel(string(c.Spec.Type))
	if section := sectionOf(c, kind); section != nil && kind.Calls != nil {
		return kind.Calls(section)
	}
	return nil
}

// sectionOf returns the section of the resource's type, without its secrets. A section that the connector would refuse
// is nil: Render says what is wrong with it.
func sectionOf(c *v1alpha1.ChannelConnector, kind channel.Type) config.Section {
	if kind.New == nil {
		return nil
	}
	var members map[string]yaml.Node
	declared := channelOf(c, v1alpha1.SecretKeyRef{}, func(Reference) config.APIKey { return config.APIKey{} })
	if declared.Decode(&members) != nil {
		return nil
	}
	section, member := kind.New(), members[kind.Member()]
	if member.Decode(section) != nil {
		return nil
	}
	return section
}
