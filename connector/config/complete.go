package config

import (
	"path/filepath"
	"reflect"
)

// complete fills in the fields that follow from others: default types, default paths, and absolute paths for relative
// ones. It judges nothing.
func (c *Config) complete(folder string, types Types) {
	c.Inbox.Type = typeOr(c.Inbox.Type, types.Inboxes)
	if t := named(types.Inboxes, c.Inbox.Type); t.New != nil && c.Inbox.Settings == nil {
		c.Inbox.Settings = t.New()
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
	resolve(reflect.ValueOf(c).Elem(), folder)
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

// pathTag marks a field that holds a path, absolute or relative to the file's folder.
const pathTag = "file"

// resolve makes the paths in v absolute.
func resolve(v reflect.Value, folder string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		resolve(v.Elem(), folder)
	case reflect.Slice:
		for i := range v.Len() {
			resolve(v.Index(i), folder)
		}
	case reflect.Struct:
		for field, value := range v.Fields() {
			switch {
			case !field.IsExported():
			case field.Tag.Get(pathTag) == "path" && value.String() != "":
				value.SetString(absolute(value.String(), folder))
			default:
				resolve(value, folder)
			}
		}
	default: // holds no path
	}
}

func absolute(path, folder string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(folder, path)
}
