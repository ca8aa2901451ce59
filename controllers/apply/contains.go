package apply

import (
	"reflect"
	"slices"
	"strings"
)

// keys are the fields by which elements of the lists in a kind of child are told apart,
// tried one set after another.
type keys [][]string

func keysOf(merge [][]string) keys { return append(keys{{"uid"}}, merge...) }

// contains reports whether a value from the API server holds what is wanted: a map every
// wanted entry, a list every wanted element. Elements that have a key are found by it, as
// server-side apply merges them; other lists are compared as a whole. Whatever else is
// there, such as defaults and others' fields, does not matter.
func (k keys) contains(have, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		have, ok := have.(map[string]any)
		return ok && k.containsMap(have, want)
	case []any:
		have, ok := have.([]any)
		return ok && k.containsList(have, want)
	}
	return reflect.DeepEqual(have, want)
}

func (k keys) containsMap(have, want map[string]any) bool {
	for key, value := range want {
		if there, ok := have[key]; !ok || !k.contains(there, value) {
			return false
		}
	}
	return true
}

func (k keys) containsList(have, want []any) bool {
	if k.mergedByKey(want) {
		return k.containsKeyed(slices.Clone(have), want)
	}
	return slices.EqualFunc(have, want, k.contains)
}

// mergedByKey reports whether a list's elements are found by their keys.
func (k keys) mergedByKey(want []any) bool {
	return len(want) > 0 && !slices.ContainsFunc(want, func(element any) bool { return k.keyOf(element) == "" })
}

// containsKeyed looks for each wanted element among those that are left. Several
// may have the same key, as the mounts of one volume have.
func (k keys) containsKeyed(left, want []any) bool {
	for _, element := range want {
		i := slices.IndexFunc(left, func(candidate any) bool { return k.contains(candidate, element) })
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return true
}

// keyOf is the key of an element, with the names of its fields; empty for an element that
// has none, so that its place and its neighbours matter.
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
