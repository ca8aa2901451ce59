package digest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/digest"
)

// TestListsDiffer: where one part ends and the next begins counts, and so does a part without content.
func TestListsDiffer(t *testing.T) {
	seen := map[[sha256.Size]byte]string{}
	for _, list := range [][]string{
		{"ab", "c"}, {"a", "bc"}, {"abc"}, {"abc", ""}, {"", "abc"}, {}, {""}, {"c", "ab"}, {strings.Repeat("a", 600)},
	} {
		var parts [][]byte
		for _, part := range list {
			parts = append(parts, []byte(part))
		}
		sum := digest.Of(parts...)
		if other, again := seen[sum]; again {
			t.Errorf("%q has the digest of %s", list, other)
		}
		seen[sum] = fmt.Sprintf("%q", list)
	}
}

func TestText(t *testing.T) {
	sum := digest.Of([]byte("a"), []byte("b"))
	got := digest.Text([]byte("a"), []byte("b"))
	if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(got) || !strings.HasPrefix(hex.EncodeToString(sum[:]), got) {
		t.Errorf("%q is not the beginning of %x", got, sum)
	}
}

func TestAllocates(t *testing.T) {
	one, other := []byte("ZaloOA"), []byte("2553928453557884079")
	if n := testing.AllocsPerRun(100, func() { digest.Of(one, other) }); n > 0 {
		t.Errorf("a short list costs %v allocations", n)
	}
}
