package apply

import (
	"reflect"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Size is about how many bytes an object takes in memory. Its encoding says little of that: an empty toleration has 3
// bytes of JSON, and 72 here.
func Size(o client.Object) int { return SizeOf(reflect.ValueOf(o)) }

// SizeOf is the size of a value itself, and of all that it points to.
func SizeOf(v reflect.Value) int { return int(v.Type().Size()) + sizeBelow(v) }

// mapEntry is about what a map needs for an entry, in addition to its key and value.
const mapEntry = 16

func sizeBelow(v reflect.Value) (n int) {
	switch v.Kind() {
	case reflect.String:
		return v.Len()
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return SizeOf(v.Elem())
		}
	case reflect.Slice:
		n = v.Cap() * int(v.Type().Elem().Size())
		for i := 0; i < v.Len() && v.Type().Elem().Kind() != reflect.Uint8; i++ {
			n += sizeBelow(v.Index(i))
		}
	case reflect.Map:
		for entry := v.MapRange(); entry.Next(); {
			n += mapEntry + SizeOf(entry.Key()) + SizeOf(entry.Value())
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() { // all of them share the location
			return 0
		}
		for _, field := range v.Fields() {
			n += sizeBelow(field)
		}
	default: // it points to nothing
	}
	return n
}
