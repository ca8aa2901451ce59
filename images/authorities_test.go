package main

import (
	"crypto/x509"
	"encoding/pem"
	"testing"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// TestAuthorities: the file has every authority that is trusted without a condition, and only these.
func TestAuthorities(t *testing.T) {
	unconditional := make(map[string]bool)
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			unconditional[string(root.Certificate)] = true
		}
	}
	rest := authorities()
	for range unconditional {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			t.Fatal("an authority is missing")
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			t.Error(err)
		}
		if !unconditional[string(block.Bytes)] {
			t.Error("an authority is trusted although Mozilla trusts it in part only, or not")
		}
	}
	if len(rest) > 0 {
		t.Errorf("%d bytes more than expected", len(rest))
	}
	if len(unconditional) < 100 {
		t.Errorf("%d authorities; Mozilla trusts more than 100", len(unconditional))
	}
}
