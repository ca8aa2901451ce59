package channel_test

import (
	"net/http"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/channel"
)

// paging opens a Pager with pages.
type paging struct {
	PagerSettings

	pages []channel.Page
}

func (s *paging) Open(string, channel.Environment) channel.Channel { return pages{&pager{}, s.pages} }

type pages struct {
	*pager

	pages []channel.Page
}

func (p pages) Public() []channel.Page { return p.pages }

// TestPages: no page of a type hides another page or a webhook.
func TestPages(t *testing.T) {
	at := func(paths ...string) (all []channel.Page) {
		for _, path := range paths {
			all = append(all, channel.Page{Path: path, Serve: func(*http.Request) channel.Answer { return channel.Answer{} }})
		}
		return all
	}
	tags := channel.Page{Path: "/", MetaTags: []channel.MetaTag{{Name: "pager", Content: "proof"}}}
	for name, tt := range map[string]struct {
		prefix, problem string
		pages           []channel.Page
	}{
		"none":                 {},
		"tags twice":           {pages: []channel.Page{tags, tags}},
		"a handshake":          {pages: at("")},
		"two under the prefix": {prefix: "/proof_", pages: append(at("/proof_1", "/proof_2"), tags)},
		"the health check": {
			prefix: "/proof_", pages: at("/healthz"), problem: `has a page "/healthz": its path must begin with "/proof_"`,
		},
		"a webhook":              {prefix: "/proof_", pages: at("/pager"), problem: `has a page "/pager"`},
		"the front page":         {prefix: "/proof_", pages: at("/"), problem: `has a page "/"`},
		"a type without pages":   {pages: at("/proof_1"), problem: `has a page "/proof_1"`},
		"two pages of one path":  {prefix: "/proof_", pages: at("/proof_1", "/proof_2", "/proof_1"), problem: `has two pages "/proof_1"`},
		"two handshakes at once": {pages: at("", ""), problem: `has two pages ""`},
	} {
		t.Run(name, func(t *testing.T) {
			of := Pager
			of.PublicPrefix = tt.prefix
			opened, err := of.Open("chat/duty", &paging{pages: tt.pages}, channel.Environment{})
			switch {
			case tt.problem == "" && (err != nil || opened == nil):
				t.Error(err)
			case tt.problem != "" && (err == nil || !strings.Contains(err.Error(), `channel "chat/duty": type Pager `+tt.problem)):
				t.Errorf("%v, want %q", err, tt.problem)
			}
		})
	}
}
