package apply

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// maxManagers is how many field managers a message names.
const maxManagers = 3

// managers names the field managers, beside the operator's, that own a field: quoted,
// in order, empty where nobody does. What cannot be decoded owns nothing.
func managers(of []metav1.ManagedFieldsEntry, path fieldPath) string {
	var names []string
	for _, entry := range of {
		if entry.Manager == FieldManager || entry.FieldsV1 == nil {
			continue
		}
		var owned map[string]any
		if json.Unmarshal(entry.FieldsV1.GetRawBytes(), &owned) == nil && owns(owned, path) {
			names = append(names, fmt.Sprintf("%q", entry.Manager))
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return strings.Join(names[:min(len(names), maxManagers)], ", ")
}

// owns reports whether a set of fields holds a path. Who owns a map or list that is
// replaced as a whole owns what is in it.
func owns(fields map[string]any, path fieldPath) bool {
	for i, s := range path {
		var inner any
		if s.element == nil {
			inner = fields["f:"+s.name]
		} else {
			inner = ofElement(fields, s.element)
		}
		next, ok := inner.(map[string]any)
		if !ok {
			return i > 0 && len(fields) == 0
		}
		fields = next
	}
	return true
}

// ofElement returns what is owned of the element of a list. Its key in managed fields
// is the API server's, such as port and protocol: {"k:{\"port\":80,\"protocol\":\"TCP\"}": …}.
func ofElement(fields, element map[string]any) any {
	for name, inner := range fields {
		encoded, isKey := strings.CutPrefix(name, "k:")
		var key map[string]any
		if !isKey || utiljson.Unmarshal([]byte(encoded), &key) != nil {
			continue
		}
		same := true
		for field, value := range key {
			same = same && reflect.DeepEqual(element[field], value)
		}
		if same {
			return inner
		}
	}
	return nil
}
