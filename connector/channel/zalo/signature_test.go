package zalo

import (
	"fmt"
	"strings"
	"testing"
)

func FuzzSignatureHeader(f *testing.F) {
	for _, v := range vectors.Vectors {
		f.Add(v.Header)
		f.Add(strings.TrimPrefix(v.Header, signaturePrefix))
	}
	for _, value := range []string{"", "mac=", "MAC=00", "mac=mac=", "mac=" + strings.Repeat("g", 64), strings.Repeat("é", 32)} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		signature, ok := parseSignature(value)
		if spelled := fmt.Sprintf("%x", signature); ok && !strings.EqualFold(value, spelled) &&
			(!strings.HasPrefix(value, signaturePrefix) || !strings.EqualFold(value[len(signaturePrefix):], spelled)) {
			t.Errorf("%q was read as %s", value, spelled)
		}
	})
}
