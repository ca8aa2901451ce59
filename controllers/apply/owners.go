package apply

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	values "sigs.k8s.io/structured-merge-diff/v6/value"
)

// maxManagers is how many field managers a message names.
const maxManagers = 3

// managers names the field managers, beside the operator's, that own a field: quoted, in order, empty where nobody
// does. What cannot be decoded owns nothing.
func managers(of []metav1.ManagedFieldsEntry, path fieldPath) string {
	var names []string
	for _, entry := range of {
		if entry.Manager == FieldManager || entry.FieldsV1 == nil {
			continue
		}
		var owned fieldpath.Set
		if owned.FromJSON(entry.FieldsV1.GetRawReader()) == nil && owns(&owned, path) {
			names = append(names, fmt.Sprintf("%q", entry.Manager))
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return strings.Join(names[:min(len(names), maxManagers)], ", ")
}

// owns reports whether a set of fields holds a field, or a part of it. The owner of a map or list that is replaced as a
// whole owns every field in it.
func owns(fields *fieldpath.Set, path fieldPath) (owned bool) {
	fields.Leaves().Iterate(func(leaf fieldpath.Path) {
		n := min(len(leaf), len(path))
		owned = owned || slices.EqualFunc(leaf[:n], path[:n], isStep)
	})
	return owned
}

// isStep compares a part of a path in managed fields. The API server's key of an element is another one, such as port
// and protocol.
func isStep(of fieldpath.PathElement, s step) bool {
	if s.element == nil {
		return of.FieldName != nil && *of.FieldName == s.name
	}
	if of.Key == nil {
		return false
	}
	same := true
	for _, key := range *of.Key {
		same = same && values.Equals(values.NewValueInterface(s.element[key.Name]), key.Value)
	}
	return same
}
