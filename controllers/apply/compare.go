package apply

import (
	"reflect"
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

// step is one part of a path: a field or entry of a map by its name, or an element of a list.
type step struct {
	name string
	// element is that of a list as it is in the cluster, or as it is wanted where there is none; key is its key.
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

// keys are the fields by which elements of the lists in a kind of child are told apart, tried one set after another.
type keys [][]string

func keysOf(merge [][]string) keys { return append(keys{{"uid"}}, merge...) }

// contains reports whether a value from the API server holds what is wanted: a map every wanted entry, a list every
// wanted element. Elements that have a key are found by it, as server-side apply merges them; other lists are compared
// as a whole. Defaults and others' fields do not matter.
func (k keys) contains(have, want any) bool { return len(k.differences(have, want)) == 0 }

// differences returns the fields of an object that are not as wanted.
func (k keys) differences(have, want any) (all []difference) {
	k.merge(have, want, func(d difference) bool { all = append(all, d); return false })
	return all
}

// merge returns the wanted fields. If leave says so of one that differs, it has its present value, or is left out if it
// is not there.
func (k keys) merge(have, want any, leave func(difference) bool) any {
	merged, _ := comparison{k, leave}.value(nil, have, true, want)
	return merged
}

// comparison walks through the wanted fields, and asks of each difference whether it is left.
type comparison struct {
	keys
	leave func(difference) bool
}

func (c comparison) value(path fieldPath, have any, there bool, want any) (value any, ok bool) {
	same := false
	switch want := want.(type) {
	case map[string]any:
		if have, ok := have.(map[string]any); ok {
			return c.entries(path, have, want), true
		}
	case []any:
		have, ok := have.([]any)
		if ok && c.mergedByKey(want) {
			return c.elements(path, have, want), true
		}
		same = ok && slices.EqualFunc(have, want, c.contains)
	default:
		same = there && reflect.DeepEqual(have, want)
	}
	if same || !c.leave(difference{path, want}) {
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

// counterparts returns the present element for each wanted one: that which contains it, or else that which has its key;
// nil if there is none. Several may have the same key, as the mounts of one volume have.
func (k keys) counterparts(have, want []any) []any {
	left, found := slices.Clone(have), make([]any, len(want))
	for _, fits := range []func(candidate, element any) bool{
		k.contains,
		func(candidate, element any) bool { return k.keyOf(candidate) == k.keyOf(element) },
	} {
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
	return found
}

// mergedByKey reports whether a list's elements are found by their keys.
func (k keys) mergedByKey(want []any) bool {
	return len(want) > 0 && !slices.ContainsFunc(want, func(element any) bool { return k.keyOf(element) == "" })
}

// keyOf is the key of an element, with the names of its fields; empty for an element that has none, so that its place
// and its neighbours matter.
func (k keys) keyOf(element any) string {
	fields, _ := element.(map[string]any)
	for _, names := range k {
		pairs := make([]string, 0, len(names))
		for _, name := range names {
			if value, text := fields[name].(string); text {
				pairs = append(pairs, name+"="+value)
			}
		}
		if len(pairs) == len(names) {
			return strings.Join(pairs, ",")
		}
	}
	return ""
}
