package channel

import (
	"fmt"
	"slices"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// Open opens a channel of the type. It returns an error if a page of the channel would hide another page: see Page.Path.
func (t Type) Open(name string, s Settings, e Environment) (Channel, error) {
	opened, served := s.Open(name, e), map[string]bool{}
	for _, page := range opened.Public() {
		switch {
		case page.Serve == nil:
			continue
		case page.Path != "" && !t.IsPublic(page.Path):
			return nil, t.misplaced(name, "a page", page.Path)
		case served[page.Path]:
			return nil, fmt.Errorf("channel %q: type %s has two pages %q", name, t.Name, page.Path)
		}
		served[page.Path] = true
	}
	for _, endpoint := range endpoints(opened) {
		switch {
		case !t.IsPublic(endpoint.Path):
			return nil, t.misplaced(name, "an endpoint", endpoint.Path)
		case served[endpoint.Path]:
			return nil, fmt.Errorf("channel %q: type %s has a page or an endpoint %q already", name, t.Name, endpoint.Path)
		}
		served[endpoint.Path] = true
	}
	return opened, nil
}

func (t Type) misplaced(name, what, path string) error {
	return fmt.Errorf("channel %q: type %s has %s %q: its path must begin with %q", name, t.Name, what, path, t.PublicPrefix)
}

// endpoints returns the endpoints of a channel.
func endpoints(c Channel) []Endpoint {
	if server, ok := c.(EndpointServer); ok {
		return server.Endpoints()
	}
	return nil
}

// PublicPaths returns the paths of the pages and endpoints of a channel with a section, each once. The section need not
// have been checked: none of them depends on a secret.
func (t Type) PublicPaths(section config.Section) (paths []string) {
	settings, ok := section.(Settings)
	if !ok {
		return nil
	}
	opened := settings.Open(t.Name, Environment{})
	for _, page := range opened.Public() {
		if page.Path != "" && !slices.Contains(paths, page.Path) {
			paths = append(paths, page.Path)
		}
	}
	for _, endpoint := range endpoints(opened) {
		paths = append(paths, endpoint.Path)
	}
	return paths
}
