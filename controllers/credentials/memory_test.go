package credentials

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

// hostile is a patch that names as many Secrets as the schema allows, each with one key, and how many those are.
func hostile() (patch string, secrets int) {
	named := func() string { secrets++; return fmt.Sprintf("{name: s%d, key: k}", secrets) }
	list := func(n int, of func() string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = of()
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	account := func() string {
		return fmt.Sprintf("{id: %q, secretKeyRefs: %s}", fmt.Sprint(secrets), list(2, named))
	}
	key := func() string { return fmt.Sprintf("{name: n%d, secretKeyRef: %s}", secrets, named()) }
	return fmt.Sprintf(`zaloOA: {signature: {secretKeyRefs: %s}, officialAccounts: %s}, webhook: {apiKeys: %s},
		sink: {http: {url: "https://bot.example", headers: %s, signingSecretKeyRef: %s, tls: {caSecretKeyRef: %s}}}`,
		list(32, named), list(100, account), list(8, key), list(16, key), named(), named()), secrets
}

// held is the live memory, in bytes.
func held() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMemory: whoever names as many Secrets as he may, and fills each with 1 MiB, makes a pass hold no more than a few
// MiB, whatever key the bytes stand under.
func TestMemory(t *testing.T) {
	const secretSize, most, mostValues = 1 << 20, 8 << 20, 1 << 20
	patch, secrets := hostile()
	connector := connectortest.New(t, patch)
	for name, values := range map[string]map[string]int{
		"beside the keys":                {"k": 40, "other": secretSize - 40},
		"under the keys":                 {"k": secretSize},
		"as much as is taken of one key": {"k": 64 << 10, "other": secretSize - 64<<10},
		"white space around the keys":    {"k": -secretSize},
	} {
		t.Run(name, func(t *testing.T) {
			before, peak, reads := held(), int64(0), 0
			look := func() { peak = max(peak, held()-before) }
			got, err := Resolve(t.Context(), Input{
				Connector: connector, Generated: "none",
				From: func(_ context.Context, object render.Object) (map[string][]byte, error) {
					if reads++; reads%16 == 0 {
						look()
					}
					return filled(object.Name, values), nil
				},
				InUse: func(context.Context) (*render.InUse, error) { look(); return &render.InUse{}, nil },
			})
			look()
			if err != nil || reads != secrets {
				t.Fatalf("%d of %d Secrets were read, %v", reads, secrets, err)
			}
			total := 0
			for _, v := range got.Credentials.Values {
				total += len(v.Text)
			}
			if peak > most || total > mostValues {
				t.Errorf("%d KiB were held, and %d KiB are values: want at most %d KiB and %d KiB", peak>>10, total>>10, most>>10, mostValues>>10)
			}
			t.Logf("%d Secrets: %d KiB held at most, %d KiB of values, %d findings", secrets, peak>>10, total>>10, len(got.Findings))
		})
	}
}

// TestTooMany: what does not fit into one Secret with the values before it is refused, and says so.
func TestTooMany(t *testing.T) {
	patch, _ := hostile()
	from := func(_ context.Context, object render.Object) (map[string][]byte, error) {
		return filled(object.Name, map[string]int{"k": 60 << 10}), nil
	}
	got, err := Resolve(t.Context(), Input{Connector: connectortest.New(t, patch), Generated: "none", From: from})
	if err != nil {
		t.Fatal(err)
	}
	const fit, last = 17, "channels[0].zaloOA.signature.secretKeys[16]"
	if got.Credentials.Values[last].Text == "" {
		t.Errorf("%s is left out", last)
	}
	want := blocks(ReasonTooLarge, `Secret "s18", key "k" (spec.zaloOA.signature.secretKeyRefs[17]) does not fit: the values that the `+
		`resource names may have 1 MiB together, since the connector gets them in one Secret: put the credentials alone into them`)
	want[0].Meanwhile = "nothing is verified with it"
	blocking := slices.DeleteFunc(got.Findings, func(f Finding) bool { return !f.Blocking })
	if diff := cmp.Diff(want, blocking[:1]); diff != "" || len(blocking) != 258-fit {
		t.Errorf("%d findings (-want +got):\n%s", len(blocking), diff)
	}
}

// filling is what stands beside or around values.
var filling = map[bool]string{true: strings.Repeat(" ", 1<<20), false: strings.Repeat("x", 1<<20)}

// filled is the data of a Secret with keys of these sizes, in bytes; a negative one is of white space around a value.
func filled(name string, sizes map[string]int) map[string][]byte {
	data := map[string][]byte{}
	for key, size := range sizes {
		if size < 0 {
			value := "-" + name + "-api-key-of-32-characters-and-more"
			data[key] = append([]byte(filling[true][:-size-len(value)]), value...)
		} else {
			data[key] = append([]byte(name+"-"), filling[false][:size-len(name)-1]...)
		}
	}
	return data
}
