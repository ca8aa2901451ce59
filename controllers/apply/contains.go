package apply

import (
	"reflect"
	"slices"
)

// contains reports whether a value from the API server holds what is wanted: a
// map every wanted entry, a list every wanted element. Elements that have a key
// are found by it, as server-side apply merges them; other lists are compared as
// a whole. What is there besides, defaults and others' fields, does not matter.
func contains(have, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		have, ok := have.(map[string]any)
		return ok && containsMap(have, want)
	case []any:
		have, ok := have.([]any)
		return ok && containsList(have, want)
	}
	return reflect.DeepEqual(have, want)
}

func containsMap(have, want map[string]any) bool {
	for key, value := range want {
		if there, ok := have[key]; !ok || !contains(there, value) {
			return false
		}
	}
	return true
}

func containsList(have, want []any) bool {
	if mergedByKey(want) {
		return containsKeyed(slices.Clone(have), want)
	}
	return slices.EqualFunc(have, want, contains)
}

// mergedByKey reports whether a list's elements are found by their keys.
func mergedByKey(want []any) bool {
	return len(want) > 0 && !slices.ContainsFunc(want, func(element any) bool { return !keyed(element) })
}

// containsKeyed looks for each wanted element among those that are left. Several
// may have the same key, as the mounts of one volume have.
func containsKeyed(left, want []any) bool {
	for _, element := range want {
		i := slices.IndexFunc(left, func(candidate any) bool { return contains(candidate, element) })
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return true
}

// keys are the fields by which the lists in children are merged.
var keys = [][]string{{"name"}, {"uid"}, {"topologyKey", "whenUnsatisfiable"}}

// keyed reports whether an element of a list has a key, so that its place and
// its neighbours do not matter.
func keyed(element any) bool {
	fields, _ := element.(map[string]any)
	return slices.ContainsFunc(keys, func(names []string) bool { return keyedBy(fields, names) })
}

func keyedBy(fields map[string]any, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { _, text := fields[name].(string); return !text })
}
