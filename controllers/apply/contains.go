package apply

import (
	"reflect"
)

// contains reports whether a value from the API server holds what is wanted: a
// map every wanted entry, a list every wanted element. Elements with a name (or a
// uid) are found by it, as server-side apply merges them; other lists are
// compared as a whole. What is there besides, defaults and others' fields, does
// not matter.
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
	for i, element := range want {
		there, keyed := find(have, element)
		if !keyed {
			if len(have) != len(want) {
				return false
			}
			there = have[i]
		}
		if !contains(there, element) {
			return false
		}
	}
	return true
}

// find returns the element of a list with the same key as wanted, and whether
// wanted has a key at all.
func find(list []any, wanted any) (element any, keyed bool) {
	entry, ok := wanted.(map[string]any)
	if !ok {
		return nil, false
	}
	for _, key := range []string{"name", "uid"} {
		id, ok := entry[key]
		if !ok {
			continue
		}
		for _, candidate := range list {
			if c, ok := candidate.(map[string]any); ok && c[key] == id {
				return c, true
			}
		}
		return nil, true
	}
	return nil, false
}
