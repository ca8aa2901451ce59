package apply

import (
	"maps"
	"slices"
	"testing"

	"go.uber.org/goleak"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// value reads YAML as the values that JSON has.
func value(tb testing.TB, document string) any {
	tb.Helper()
	content, err := yaml.YAMLToJSON([]byte(document))
	if err != nil {
		tb.Fatal(err)
	}
	var v any
	if err := utiljson.Unmarshal(content, &v); err != nil {
		tb.Fatal(err)
	}
	return v
}

func TestContains(t *testing.T) {
	for name, c := range map[string]struct {
		have, want string
		no         bool
	}{
		"the same number":     {have: `1`, want: `1`},
		"another number":      {have: `1`, want: `2`, no: true},
		"the same text":       {have: `a`, want: `a`},
		"text for a number":   {have: `"1"`, want: `1`, no: true},
		"nothing for a text":  {have: `null`, want: `a`, no: true},
		"a map for a text":    {have: `{a: b}`, want: `a`, no: true},
		"a text for a map":    {have: `a`, want: `{a: b}`, no: true},
		"a text for a list":   {have: `a`, want: `[a]`, no: true},
		"nothing for a map":   {have: `null`, want: `{}`, no: true},
		"nothing for a list":  {have: `null`, want: `[]`, no: true},
		"a list for a map":    {have: `[{a: b}]`, want: `{a: b}`, no: true},
		"the same map":        {have: `{a: 1, b: {c: 2}}`, want: `{b: {c: 2}, a: 1}`},
		"an empty map":        {have: `{a: 1}`, want: `{}`},
		"a further entry":     {have: `{a: 1, b: 2}`, want: `{a: 1}`},
		"a further one below": {have: `{a: {b: 1, c: 2}}`, want: `{a: {b: 1}}`},
		"a missing entry":     {have: `{a: 1}`, want: `{a: 1, b: 2}`, no: true},
		"a missing one below": {have: `{a: {}}`, want: `{a: {b: 1}}`, no: true},
		"another entry":       {have: `{a: {b: 1}}`, want: `{a: {b: 2}}`, no: true},

		"the same list":       {have: `[a, b]`, want: `[a, b]`},
		"another order":       {have: `[b, a]`, want: `[a, b]`, no: true},
		"a further element":   {have: `[a, b]`, want: `[a]`, no: true},
		"a missing element":   {have: `[a]`, want: `[a, b]`, no: true},
		"another element":     {have: `[a]`, want: `[b]`, no: true},
		"elements of others":  {have: `[a]`, want: `[]`, no: true},
		"nothing in the list": {have: `[]`, want: `[]`},
		"maps without a key":  {have: `[{key: a, effect: b}]`, want: `[{key: a}]`},
		"their order":         {have: `[{key: a}, {key: b}]`, want: `[{key: b}, {key: a}]`, no: true},

		"named":                     {have: `[{name: a, v: 1}]`, want: `[{name: a, v: 1}]`},
		"named, in another order":   {have: `[{name: b}, {name: a}]`, want: `[{name: a}, {name: b}]`},
		"named, with defaults":      {have: `[{name: a, v: 1, d: 2}]`, want: `[{name: a, v: 1}]`},
		"named, with one of others": {have: `[{name: sidecar}, {name: a}]`, want: `[{name: a}]`},
		"named, changed":            {have: `[{name: a, v: 2}]`, want: `[{name: a, v: 1}]`, no: true},
		"named, missing":            {have: `[{name: b, v: 1}]`, want: `[{name: a, v: 1}]`, no: true},
		"named, among text":         {have: `[a]`, want: `[{name: a}]`, no: true},
		"named twice": {
			have: `[{name: config, mountPath: /a}, {name: config, mountPath: /b}]`, want: `[{name: config, mountPath: /b}]`,
		},
		"named twice, changed": {
			have: `[{name: config, mountPath: /a}, {name: config, mountPath: /c}]`, want: `[{name: config, mountPath: /b}]`, no: true,
		},
		"by uid": {have: `[{uid: "1", name: a}]`, want: `[{uid: "1", name: a}]`},
		"by uid, beside a namesake": {
			have: `[{uid: "1", name: shop, kind: A}, {uid: "2", name: shop, kind: B}]`, want: `[{uid: "2", name: shop, kind: B}]`,
		},
		"by uid, changed": {
			have: `[{uid: "1", name: shop, controller: false}]`, want: `[{uid: "1", name: shop, controller: true}]`, no: true,
		},
		"by uid, of an earlier one": {have: `[{uid: "1", name: shop}]`, want: `[{uid: "2", name: shop}]`, no: true},
		"by topology, of others": {
			have: `[{topologyKey: zone, whenUnsatisfiable: A}, {topologyKey: host, whenUnsatisfiable: A}]`,
			want: `[{topologyKey: host, whenUnsatisfiable: A}]`,
		},
		"by topology, strictness": {
			have: `[{topologyKey: host, whenUnsatisfiable: B}]`, want: `[{topologyKey: host, whenUnsatisfiable: A}]`, no: true,
		},
		"terms of affinity, of others": {have: `[{topologyKey: zone}, {topologyKey: host}]`, want: `[{topologyKey: host}]`, no: true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := templateKeys.contains(value(t, c.have), value(t, c.want)); got == c.no {
				t.Errorf("%s holds %s: %v", c.have, c.want, got)
			}
		})
	}
}

// FuzzContains: a value holds itself, whatever is added to its maps, and no longer when a part of it is gone.
func FuzzContains(f *testing.F) {
	for _, document := range []string{
		`1`, `{}`, `[]`, `null`, `{"a":{"b":[1,"c",null]}}`, `[{"name":"a","v":1},{"name":"a","v":2}]`,
		`{"containers":[{"name":"connector","ports":[{"name":"http","containerPort":8080}]}]}`,
		`[{"uid":"1","name":"a"},{"uid":"2","name":"a"}]`, `[{"key":"a"},{"key":"b"}]`, `[[1,[2]],[]]`,
		`[{"topologyKey":"a","whenUnsatisfiable":"b"}]`, `{"a":{},"b":[{}]}`,
	} {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		read := func() any {
			var v any
			if utiljson.Unmarshal(document, &v) != nil {
				t.Skip("no JSON")
			}
			return v
		}
		want := read()
		if !templateKeys.contains(read(), want) {
			t.Fatalf("%s does not hold itself", document)
		}
		have := read()
		extend(have)
		if !templateKeys.contains(have, want) {
			t.Errorf("%s with defaults does not hold %s", mustJSON(t, have), document)
		}
		for n := 0; ; n++ {
			have, countdown := read(), n
			if have, _ = without(have, &countdown); countdown >= 0 {
				return
			}
			if templateKeys.contains(have, want) {
				t.Errorf("%s holds %s", mustJSON(t, have), document)
			}
		}
	})
}

// extend adds to every map what nobody wants, as the API server adds defaults.
func extend(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			extend(inner)
		}
		v["added by others"] = int64(1)
	case []any:
		for _, inner := range v {
			extend(inner)
		}
	}
}

// without removes the entry or element that is the n-th from the leaves on, and leaves n negative where there was one.
func without(v any, n *int) (rest any, removed bool) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if v[key], removed = without(v[key], n); removed {
				return v, true
			}
			if *n--; *n < 0 {
				delete(v, key)
				return v, true
			}
		}
	case []any:
		for i, inner := range v {
			if v[i], removed = without(inner, n); removed {
				return v, true
			}
			if *n--; *n < 0 {
				return append(v[:i:i], v[i+1:]...), true
			}
		}
	}
	return v, false
}

func mustJSON(tb testing.TB, v any) []byte {
	tb.Helper()
	content, err := utiljson.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return content
}
