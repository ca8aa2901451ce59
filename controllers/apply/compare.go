package apply

import (
	"regexp"
	"slices"
	"strings"
)

// difference is a field that is not as it is wanted.
type difference struct {
	path fieldPath
	want any
}

// fieldPath leads from an object to one of its fields.
type fieldPath []step

// step is one part of a path: a field or entry of a map by its name, or an element of
// a list.
type step struct {
	name string
	// element is that of a list as it is in the cluster, or as it is wanted where there
	// is none; key is its key.
	element map[string]any
	key     string
}

// plainName is the name of a field; the keys of labels and annotations are longer.
var plainName = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// String is the path in a message: spec.template.spec.containers[name=connector].image.
func (p fieldPath) String() string {
	var text strings.Builder
	for i, s := range p {
		switch {
		case s.element != nil:
			text.WriteString("[" + s.key + "]")
		case !plainName.MatchString(s.name):
			text.WriteString("[" + s.name + "]")
		case i > 0:
			text.WriteString("." + s.name)
		default:
			text.WriteString(s.name)
		}
	}
	return text.String()
}

// to returns the path that leads one step further.
func (p fieldPath) to(next step) fieldPath { return append(slices.Clip(p), next) }

// differences returns the fields of an object that are not as wanted: none if contains is true.
func (k keys) differences(have, want map[string]any) (all []difference) {
	k.merge(have, want, func(d difference) bool { all = append(all, d); return false })
	return all
}

// merge returns the wanted fields. If leave says so of one that differs, it has its present
// value, or is left out if it is not there.
func (k keys) merge(have, want map[string]any, leave func(difference) bool) map[string]any {
	return comparison{k, leave}.entries(nil, have, want)
}

// comparison walks through the wanted fields, and asks of each difference whether it is left.
type comparison struct {
	keys
	leave func(difference) bool
}

func (c comparison) value(path fieldPath, have any, there bool, want any) (value any, ok bool) {
	switch want := want.(type) {
	case map[string]any:
		if have, ok := have.(map[string]any); ok {
			return c.entries(path, have, want), true
		}
	case []any:
		if have, ok := have.([]any); ok && c.mergedByKey(want) {
			return c.elements(path, have, want), true
		}
	}
	if there && c.contains(have, want) || !c.leave(difference{path, want}) {
		return want, true
	}
	return have, there
}

func (c comparison) entries(path fieldPath, have, want map[string]any) map[string]any {
	merged := make(map[string]any, len(want))
	for name, wanted := range want {
		is, there := have[name]
		if value, ok := c.value(path.to(step{name: name}), is, there, wanted); ok {
			merged[name] = value
		}
	}
	return merged
}

func (c comparison) elements(path fieldPath, have, want []any) []any {
	merged := make([]any, 0, len(want))
	for i, is := range c.counterparts(have, want) {
		element, _ := is.(map[string]any)
		if is == nil {
			element, _ = want[i].(map[string]any)
		}
		if value, ok := c.value(path.to(step{element: element, key: c.keyOf(element)}), is, is != nil, want[i]); ok {
			merged = append(merged, value)
		}
	}
	return merged
}

// counterparts returns the present element for each wanted one: that which contains it, or else
// that which has its key; nil if there is none.
func (k keys) counterparts(have, want []any) []any {
	left, found := slices.Clone(have), make([]any, len(want))
	take := func(fits func(candidate, element any) bool) {
		for i, element := range want {
			if found[i] != nil {
				continue
			}
			if at := slices.IndexFunc(left, func(candidate any) bool { return fits(candidate, element) }); at >= 0 {
				found[i] = left[at]
				left = slices.Delete(left, at, at+1)
			}
		}
	}
	take(k.contains)
	take(func(candidate, element any) bool {
		_, ok := candidate.(map[string]any)
		return ok && k.keyOf(candidate) == k.keyOf(element)
	})
	return found
}
