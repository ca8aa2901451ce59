package children

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

func TestInstance(t *testing.T) {
	for name, want := range map[string]string{
		// What can be the name of a Service stays.
		"a":                     "a",
		"shop":                  "shop",
		"shop-2":                "shop-2",
		strings.Repeat("a", 53): strings.Repeat("a", 53),
		// What is too long, or cannot, gets a hash.
		strings.Repeat("a", 54):                  strings.Repeat("a", 44) + "-a3f01b69",
		strings.Repeat("a", 253):                 strings.Repeat("a", 44) + "-32859a3a",
		"shop.chat":                              "shop-chat-cf03f2ef",
		"1shop":                                  "c-1shop-f03ca494",
		"1":                                      "c-1-6b86b273",
		"1.2.3":                                  "c-1-2-3-c47f5b18",
		strings.Repeat("1", 253):                 "c-" + strings.Repeat("1", 42) + "-113d0f87",
		strings.Repeat("a", 43) + ".bcdefghijkl": strings.Repeat("a", 43) + "-2f26ac00",
	} {
		if got := Instance(name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// checkNames reports what is wrong with the names of a resource's children.
func checkNames(tb testing.TB, name string) {
	tb.Helper()
	for _, child := range []string{ConnectorName(name), APIKeyName(name)} {
		if wrong := validation.IsDNS1035Label(child); len(wrong) > 0 {
			tb.Errorf("%q: child %q: %v", name, child, wrong)
		}
	}
	for label, value := range Labels(name) {
		if wrong := validation.IsValidLabelValue(value); len(wrong) > 0 {
			tb.Errorf("%q: label %s=%q: %v", name, label, value, wrong)
		}
	}
}

// TestNamesAreUnique tries many names that look alike.
func TestNamesAreUnique(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const alphabet = "a0-."
	seen := map[string]string{}
	for range 10_000 {
		name := make([]byte, 1+random.IntN(8))
		for i := range name {
			name[i] = alphabet[random.IntN(len(alphabet))]
		}
		candidate := strings.Repeat("a", random.IntN(3)*60) + string(name)
		if len(validation.IsDNS1123Subdomain(candidate)) > 0 {
			continue
		}
		if other, taken := seen[Instance(candidate)]; taken && other != candidate {
			t.Fatalf("%q and %q are both %q", candidate, other, Instance(candidate))
		}
		seen[Instance(candidate)] = candidate
		checkNames(t, candidate)
	}
	if len(seen) < 1000 {
		t.Errorf("only %d names were tried", len(seen))
	}
}

func FuzzNames(f *testing.F) {
	for _, name := range []string{"shop", "1", "a.b", "a-.b", strings.Repeat("a", 253), strings.Repeat("1.", 126) + "1"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if len(validation.IsDNS1123Subdomain(name)) > 0 {
			return // no name of a resource
		}
		checkNames(t, name)
		if first, second := Instance(name), Instance(name); first != second {
			t.Errorf("%q is %q and %q", name, first, second)
		}
		if changed := fmt.Sprintf("%s-%s", name, "x"); len(changed) <= 253 && Instance(changed) == Instance(name) {
			t.Errorf("%q and %q are both %q", name, changed, Instance(name))
		}
	})
}
