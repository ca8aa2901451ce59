package event

import (
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseID(t *testing.T) {
	want := ID{0: 0x01, 1: 0xab, 31: 0xff}
	const text = "01ab0000000000000000000000000000000000000000000000000000000000ff"
	if want.String() != text {
		t.Errorf("String: %s, want %s", want, text)
	}
	for _, s := range []string{text, strings.ToUpper(text), "01aB" + text[4:]} {
		if got, err := ParseID(s); err != nil || got != want {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	if got, err := ParseID(strings.Repeat("0", 64)); err != nil || got != (ID{}) {
		t.Errorf("zeros: %v, %v", got, err)
	}
}

func TestParseIDRefuses(t *testing.T) {
	good := strings.Repeat("0f", 32)
	for name, s := range map[string]string{
		"empty":             "",
		"a digit short":     good[1:],
		"a byte short":      good[2:],
		"a digit long":      good + "0",
		"a byte long":       good + "00",
		"no hex":            "g" + good[1:],
		"no hex at the end": good[:63] + "x",
		"a prefix":          "0x" + good[2:],
		"a space before":    " " + good,
		"a space after":     good + " ",
		"a line break":      good + "\n",
		"a dash":            good[:8] + "-" + good[9:],
		"full-width digits": strings.Repeat("０", 64),
		"twice":             good + good,
	} {
		if id, err := ParseID(s); err == nil {
			t.Errorf("%s: read as %s", name, id)
		} else if id != (ID{}) {
			t.Errorf("%s: an id besides the error", name)
		}
	}
}

// What is read is what String writes, and nothing else is.
func FuzzParseID(f *testing.F) {
	f.Add("")
	f.Add(strings.Repeat("0f", 32))
	f.Add(strings.Repeat("A9", 32))
	f.Add(strings.Repeat("0f", 32) + "0")
	f.Add(strings.Repeat("é", 32))
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if (err == nil) != isDigits(s) {
			t.Fatalf("%q: %v", s, err)
		}
		if err == nil && id.String() != strings.ToLower(s) {
			t.Errorf("%q was read as %s", s, id)
		}
		if again, err := ParseID(id.String()); err != nil || again != id {
			t.Errorf("%s is read back as %s, %v", id, again, err)
		}
	})
}

// isDigits reports whether s is 64 hex digits.
func isDigits(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}
