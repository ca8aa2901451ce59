package apply

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"xbot.a4b.vn/channel-connector/controllers/children"
)

// templateKeys are those of all lists in children.
var templateKeys = keysOf(children.PodTemplateMerge)

// fields is YAML as an object.
func fields(tb testing.TB, document string) map[string]any {
	tb.Helper()
	object, ok := value(tb, document).(map[string]any)
	if !ok {
		tb.Fatalf("%s is no object", document)
	}
	return object
}

// TestMerge: what differs is found by its path, and what is left has the value that is there.
func TestMerge(t *testing.T) {
	for name, c := range map[string]struct {
		have, want string
		differs    []string
		// left is what is applied where every difference is left as it is.
		left string
	}{
		"nothing":             {`{a: 1}`, `{a: 1}`, nil, `{a: 1}`},
		"a value":             {`{spec: {replicas: 3, other: 1}}`, `{spec: {replicas: 1}}`, []string{"spec.replicas"}, `{spec: {replicas: 3}}`},
		"a value of none":     {`{spec: {}}`, `{spec: {replicas: 1}}`, []string{"spec.replicas"}, `{spec: {}}`},
		"a map that is gone":  {`{}`, `{a: {b: 1}}`, []string{"a"}, `{}`},
		"the key of a label":  {`{labels: {x/y: a}}`, `{labels: {x/y: b}}`, []string{"labels[x/y]"}, `{labels: {x/y: a}}`},
		"a list without keys": {`{args: [a, b]}`, `{args: [a]}`, []string{"args"}, `{args: [a, b]}`},
		"a keyed element": {
			`{c: [{name: s}, {name: a, image: x, d: 1}]}`, `{c: [{name: a, image: y}]}`, []string{"c[name=a].image"}, `{c: [{name: a, image: x}]}`,
		},
		"an element gone":    {`{c: [{name: b}]}`, `{c: [{name: a}, {name: b}]}`, []string{"c[name=a]"}, `{c: [{name: b}]}`},
		"every element gone": {`{c: []}`, `{c: [{name: a}]}`, []string{"c[name=a]"}, `{c: []}`},
		"one of a name": {
			`{m: [{name: a, p: 1}, {name: a, p: 3}]}`, `{m: [{name: a, p: 1}, {name: a, p: 2}]}`,
			[]string{"m[name=a].p"}, `{m: [{name: a, p: 1}, {name: a, p: 3}]}`,
		},
		"two, in another order": {
			`{m: [{name: b, p: 1}, {name: a, p: 1}]}`, `{m: [{name: a, p: 2}, {name: b, p: 2}]}`,
			[]string{"m[name=a].p", "m[name=b].p"}, `{m: [{name: a, p: 1}, {name: b, p: 1}]}`,
		},
		"by two fields": {
			`{t: [{topologyKey: z, whenUnsatisfiable: A, maxSkew: 2}]}`, `{t: [{topologyKey: z, whenUnsatisfiable: A, maxSkew: 1}]}`,
			[]string{"t[topologyKey=z,whenUnsatisfiable=A].maxSkew"}, `{t: [{topologyKey: z, whenUnsatisfiable: A, maxSkew: 2}]}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			have, want := fields(t, c.have), fields(t, c.want)
			var differs []string
			for _, d := range templateKeys.differences(have, want) {
				differs = append(differs, d.path.String())
			}
			if diff := cmp.Diff(c.differs, differs); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(fields(t, c.left), templateKeys.merge(have, want, func(difference) bool { return true })); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzMerge: an object differs where it does not hold what is wanted and nowhere else; it holds what is left, and with
// no difference left that is what is wanted.
func FuzzMerge(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"a":{"b":[1,"c",null]}}`, `{"a":{"b":[1]}}`},
		{`{"c":[{"name":"a","v":1},{"name":"a","v":2}]}`, `{"c":[{"name":"a","v":2},{"name":"a","v":3}]}`},
		{`{"p":[{"name":"http","port":80}]}`, `{"p":[{"name":"http","port":8080},{"name":"x"}],"q":{}}`},
		{`{"c":null,"d":[null]}`, `{"c":{},"d":[{"name":"a"}]}`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, there, wanted []byte) {
		var have, want map[string]any
		if utiljson.Unmarshal(there, &have) != nil || utiljson.Unmarshal(wanted, &want) != nil || want == nil {
			t.Skip("no objects")
		}
		if none := len(templateKeys.differences(have, want)) == 0; none != templateKeys.contains(have, want) {
			t.Errorf("%s has no difference from %s: %v", there, wanted, none)
		}
		if sent := templateKeys.merge(have, want, func(difference) bool { return false }); !reflect.DeepEqual(sent, want) {
			t.Errorf("%s becomes %s", wanted, mustJSON(t, sent))
		}
	})
}

// TestManagers: who owns a field is found by the API server's keys of lists, and in maps that are replaced as a whole.
func TestManagers(t *testing.T) {
	entry := func(manager, owned string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, FieldsV1: metav1.NewFieldsV1(owned)}
	}
	port := entry("theirs", `{"f:spec":{"f:ports":{".":{},"k:{\"port\":8080,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}}}}`)
	for name, c := range map[string]struct {
		have, want string
		entries    []metav1.ManagedFieldsEntry
		managers   string
	}{
		"nobody": {`{spec: {replicas: 3}}`, `{spec: {replicas: 1}}`, nil, ""},
		"another manager": {
			`{spec: {replicas: 3}}`, `{spec: {replicas: 1}}`, []metav1.ManagedFieldsEntry{entry("theirs", `{"f:spec":{"f:other":{}}}`)}, "",
		},
		"the operator": {
			`{spec: {replicas: 3}}`, `{spec: {replicas: 1}}`, []metav1.ManagedFieldsEntry{entry(FieldManager, `{"f:spec":{"f:replicas":{}}}`)}, "",
		},
		"one": {
			`{spec: {replicas: 3}}`, `{spec: {replicas: 1}}`, []metav1.ManagedFieldsEntry{entry("hpa", `{"f:spec":{"f:replicas":{}}}`)}, `"hpa"`,
		},
		"an element's": {
			`{spec: {ports: [{name: http, port: 8080, protocol: TCP}]}}`,
			`{spec: {ports: [{name: http, port: 80}]}}`, []metav1.ManagedFieldsEntry{port}, `"theirs"`,
		},
		"another's": {
			`{spec: {ports: [{name: http, port: 8081, protocol: TCP}]}}`,
			`{spec: {ports: [{name: http, port: 80}]}}`, []metav1.ManagedFieldsEntry{port}, "",
		},
		"of an atomic map": {
			`{spec: {nodeSelector: {zone: b}}}`, `{spec: {nodeSelector: {zone: a}}}`,
			[]metav1.ManagedFieldsEntry{entry("theirs", `{"f:spec":{"f:nodeSelector":{}}}`)}, `"theirs"`,
		},
		"unreadable": {
			`{spec: {replicas: 3}}`, `{spec: {replicas: 1}}`, []metav1.ManagedFieldsEntry{entry("theirs", `{`), {Manager: "none"}}, "",
		},
		"many": {`{a: 2}`, `{a: 1}`, []metav1.ManagedFieldsEntry{
			entry("d", `{"f:a":{}}`), entry("b", `{"f:a":{}}`), entry("a", `{"f:a":{}}`), entry("a", `{"f:a":{}}`), entry("c", `{"f:a":{}}`),
		}, `"a", "b", "c"`},
	} {
		t.Run(name, func(t *testing.T) {
			differs := templateKeys.differences(fields(t, c.have), fields(t, c.want))
			if len(differs) != 1 {
				t.Fatalf("%d differences", len(differs))
			}
			if got := managers(c.entries, differs[0].path); got != c.managers {
				t.Errorf("got %s, want %s", got, c.managers)
			}
		})
	}
}
