package channel_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
)

// paging opens a Pager with pages and endpoints.
type paging struct {
	PagerSettings

	pages     []channel.Page
	endpoints []channel.Endpoint
}

func (s *paging) Open(string, channel.Environment) channel.Channel {
	return pages{&pager{}, s.pages, s.endpoints}
}

type pages struct {
	*pager

	pages     []channel.Page
	endpoints []channel.Endpoint
}

func (p pages) Public() []channel.Page { return p.pages }

func (p pages) Endpoints() []channel.Endpoint { return p.endpoints }

// endpoints are some of such paths.
func endpoints(paths ...string) (all []channel.Endpoint) {
	for _, path := range paths {
		all = append(all, channel.Endpoint{Path: path})
	}
	return all
}

// TestPages: no page or endpoint of a type hides another one, or a webhook.
func TestPages(t *testing.T) {
	at := func(paths ...string) (all []channel.Page) {
		for _, path := range paths {
			all = append(all, channel.Page{Path: path, Serve: func(*http.Request) channel.Answer { return channel.Answer{} }})
		}
		return all
	}
	const twice = `has a page or an endpoint "/proof_1" already`
	tags := channel.Page{Path: "/", MetaTags: []channel.MetaTag{{Name: "pager", Content: "proof"}}}
	for name, tt := range map[string]struct {
		prefix, problem string
		pages           []channel.Page
		endpoints       []channel.Endpoint
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
		"endpoints beside pages": {prefix: "/proof_", pages: append(at("", "/proof_1"), tags), endpoints: endpoints("/proof_2", "/proof_3")},
		"an endpoint elsewhere": {
			prefix: "/proof_", endpoints: endpoints("/pager"), problem: `has an endpoint "/pager": its path must begin with "/proof_"`,
		},
		"an endpoint without a path":    {prefix: "/proof_", endpoints: endpoints(""), problem: `has an endpoint ""`},
		"an endpoint without a prefix":  {endpoints: endpoints("/proof_1"), problem: `has an endpoint "/proof_1"`},
		"an endpoint on the front page": {prefix: "/proof_", endpoints: endpoints("/"), problem: `has an endpoint "/"`},
		"a page and an endpoint":        {prefix: "/proof_", pages: at("/proof_1"), endpoints: endpoints("/proof_1"), problem: twice},
		"two endpoints of one path":     {prefix: "/proof_", endpoints: endpoints("/proof_1", "/proof_2", "/proof_1"), problem: twice},
	} {
		t.Run(name, func(t *testing.T) {
			of := Pager
			of.PublicPrefix = tt.prefix
			opened, err := of.Open("chat/duty", &paging{pages: tt.pages, endpoints: tt.endpoints}, channel.Environment{})
			switch {
			case tt.problem == "" && (err != nil || opened == nil):
				t.Error(err)
			case tt.problem != "" && (err == nil || !strings.Contains(err.Error(), `channel "chat/duty": type Pager `+tt.problem)):
				t.Errorf("%v, want %q", err, tt.problem)
			}
		})
	}
}

// TestPublicPaths: the paths that have to be routed are those of pages and endpoints, each once.
func TestPublicPaths(t *testing.T) {
	pages := []channel.Page{{Path: "/"}, {Path: "/"}, {Path: ""}, {Path: "/proof_1"}}
	for name, tt := range map[string]struct {
		section config.Section
		want    []string
	}{
		"pages and endpoints": {&paging{pages: pages, endpoints: endpoints("/proof_2")}, []string{"/", "/proof_1", "/proof_2"}},
		"an endpoint alone":   {&paging{endpoints: endpoints("/proof_2")}, []string{"/proof_2"}},
		"neither":             {&PagerSettings{}, nil},
		"no section":          {nil, nil},
	} {
		if diff := cmp.Diff(tt.want, Pager.PublicPaths(tt.section)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
