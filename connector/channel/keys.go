package channel

import (
	"crypto/sha256"
	"crypto/subtle"

	"xbot.a4b.vn/channel-connector/connector/config"
)

// Keys are secrets that verify calls.
type Keys struct {
	// Present can verify.
	Present []Key
	// Missing: a further key is configured but not there yet.
	Missing bool
}

// Key is one that is there.
type Key struct {
	Secret []byte
	// Digest is the SHA-256 of the secret.
	Digest [sha256.Size]byte
}

// NewKeys separates present keys from missing ones. A missing key reads as the empty one: anyone can sign with that, so
// it must never verify.
func NewKeys(secrets []config.Secret) (k Keys) {
	for _, secret := range secrets {
		if secret.Reveal() == "" {
			k.Missing = true
			continue
		}
		k.Present = append(k.Present, Key{[]byte(secret.Reveal()), secret.Digest()})
	}
	return k
}

// Configured reports whether there are any keys, present or missing.
func (k Keys) Configured() bool { return k.Missing || len(k.Present) > 0 }

// Find returns the digest of the key that verifies a call, in a time that does not tell which one that is. Verifies
// returns 1 or 0, in constant time.
func (k Keys) Find(verifies func(*Key) int) (digest [sha256.Size]byte, found bool) {
	matches := 0
	for i := range k.Present {
		match := verifies(&k.Present[i])
		subtle.ConstantTimeCopy(match, digest[:], k.Present[i].Digest[:])
		matches |= match
	}
	return digest, matches == 1
}
