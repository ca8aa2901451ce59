package channel

import (
	"fmt"
	"slices"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// Open opens a channel of the type. It returns an error if a page of the channel would hide another page: see Page.Path.
func (t Type) Open(name string, s Settings) (Channel, error) {
	opened, served := s.Open(name), map[string]bool{}
	for _, page := range opened.Public() {
		switch {
		case page.Serve == nil:
			continue
		case page.Path != "" && !t.IsPublic(page.Path):
			return nil, fmt.Errorf("channel %q: type %s has a page %q: the paths of its pages must begin with %q",
				name, t.Name, page.Path, t.PublicPrefix)
		case served[page.Path]:
			return nil, fmt.Errorf("channel %q: type %s has two pages %q", name, t.Name, page.Path)
		}
		served[page.Path] = true
	}
	return opened, nil
}

// PublicPaths returns the paths of the pages that a channel with a section serves to anyone, each once. The section need
// not have been checked: no page depends on a secret.
func (t Type) PublicPaths(section config.Section) (paths []string) {
	settings, ok := section.(Settings)
	if !ok {
		return nil
	}
	for _, page := range settings.Open(t.Name).Public() {
		if page.Path != "" && !slices.Contains(paths, page.Path) {
			paths = append(paths, page.Path)
		}
	}
	return paths
}
