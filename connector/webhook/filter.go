package webhook

import (
	"slices"
	"strings"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// filter selects events by name.
type filter struct{ include, exclude []pattern }

func newFilter(events config.EventFilter) filter {
	return filter{include: newPatterns(events.Include), exclude: newPatterns(events.Exclude)}
}

// selects reports whether an event is wanted; exclude wins over include.
func (f filter) selects(name string) bool {
	matches := func(p pattern) bool { return p.matches(name) }
	return slices.ContainsFunc(f.include, matches) && !slices.ContainsFunc(f.exclude, matches)
}

// pattern is a text split at every "*", which stands for any text.
type pattern []string

func newPatterns(texts []string) []pattern {
	patterns := make([]pattern, 0, len(texts))
	for _, text := range texts {
		patterns = append(patterns, strings.Split(text, "*"))
	}
	return patterns
}

func (p pattern) matches(name string) bool {
	first, last := p[0], p[len(p)-1]
	if len(p) == 1 {
		return name == first
	}
	name, ok := strings.CutPrefix(name, first)
	if !ok {
		return false
	}
	// The leftmost place for every part leaves the most for the rest.
	for _, part := range p[1 : len(p)-1] {
		if _, name, ok = strings.Cut(name, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(name, last)
}
