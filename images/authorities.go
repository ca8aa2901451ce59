package main

import (
	"bytes"
	"encoding/pem"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// authorities returns the certificate authorities that Mozilla trusts, from a pinned module: the machine's own would
// make each image differ. It leaves out those that Mozilla trusts in part, such as until a date, because a file of
// certificates cannot say so.
func authorities() []byte {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			// A buffer never fails.
			_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate})
		}
	}
	return text.Bytes()
}
