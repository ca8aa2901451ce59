// Package types lists every type of channel, inbox and sink. It alone names them: a new type is its own folder and one
// line here. It links no store in; package connector opens the stores.
package types

//go:generate go run ./reference

import (
	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/azurebot"
	"xbot.a4b.vn/channel-connector/connector/channel/messenger"
	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/connector/channel/zalobot"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/inbox/embedded"
	httpsink "xbot.a4b.vn/channel-connector/connector/sink/http"
)

// Channels are the types of channels.
var Channels = []channel.Type{
	zalo.Type,
	azurebot.Type,
	messenger.Type,
	zalobot.Type,
}

// Inboxes are the types of inboxes.
var Inboxes = []config.Type{
	embedded.Type,
}

// Sinks are the types of sinks.
var Sinks = []config.Type{
	httpsink.Type,
}

// Config returns all types for the loader of configuration files. The first inbox and the first sink are the defaults.
func Config() config.Types {
	types := config.Types{Inboxes: Inboxes, Sinks: Sinks}
	for _, t := range Channels {
		types.Channels = append(types.Channels, t.Type)
	}
	return types
}

// Channel returns the type of channel with a name.
func Channel(name string) channel.Type {
	for _, t := range Channels {
		if t.Name == name {
			return t
		}
	}
	return channel.Type{}
}
