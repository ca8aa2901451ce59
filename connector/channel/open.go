package channel

import "fmt"

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
