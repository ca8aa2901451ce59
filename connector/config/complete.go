package config

import (
	"path/filepath"
	"reflect"
)

// complete fills in the fields that follow from others: default types, default paths, and absolute paths for the
// relative ones among paths, which are fields of c. It judges nothing.
func (c *Config) complete(folder string, types Types, paths []reflect.Value) {
	c.Inbox.Type = typeOr(c.Inbox.Type, types.Inboxes)
	if t := named(types.Inboxes, c.Inbox.Type); t.New != nil && c.Inbox.Settings == nil {
		c.Inbox.Settings = t.New()
	}
	if c.Inbox.DeduplicationWindow == windowByTypes {
		used := make([]Type, len(c.Channels))
		for i := range c.Channels {
			used[i] = named(types.Channels, c.Channels[i].Type)
		}
		c.Inbox.DeduplicationWindow = DefaultWindow(used...)
	}
	for i := range c.Channels {
		sink, w := &c.Channels[i].Sink, &c.Channels[i].Webhook
		sink.Type = typeOr(sink.Type, types.Sinks)
		if w.Path == "" {
			w.Path = named(types.Channels, c.Channels[i].Type).DefaultPath
		}
		if w.MaxEventAge == nil {
			window := c.Inbox.DeduplicationWindow
			w.MaxEventAge = &window
		}
	}
	for _, path := range paths {
		if path.String() != "" {
			path.SetString(absolute(path.String(), folder))
		}
	}
	if c.Admin == (Admin{}) {
		c.Admin.Socket = defaultSocket(c.Inbox)
	}
}

// typeOr returns the name of a type, by default the first of all.
func typeOr(name string, types []Type) string {
	if name == "" && len(types) > 0 {
		return types[0].Name
	}
	return name
}

func absolute(path, folder string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(folder, path)
}
