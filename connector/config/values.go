package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/dustin/go-humanize"
)

// Duration is a time span, written as in Go: "10s", "1h30m", "168h".
type Duration time.Duration

// UnmarshalText reads a Go duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return errors.New(`want a duration: write for example "10s", "5m" or "24h"`)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes a Go duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// Size is a number of bytes, written plainly or with a unit: "1048576", "1Mi", "512k".
type Size int64

// UnmarshalText reads a number of bytes.
func (s *Size) UnmarshalText(text []byte) error {
	v, err := humanize.ParseBytes(string(text))
	if err != nil || v > math.MaxInt64 {
		return errors.New(`want a size: write for example "1Mi", "64Mi" or "1Gi"`)
	}
	*s = Size(v)
	return nil
}

// MarshalText writes the plain number of bytes.
func (s Size) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d", int64(s)), nil }

// Secret is a value that must not be shown. Exactly one of value, file and missing is set. It prints as "[redacted]".
type Secret struct {
	// Value is the secret itself.
	Value string `yaml:"value,omitempty"`
	// File is the path of a file that holds the secret; white space around it is ignored. While the file holds none,
	// the secret is missing.
	File string `yaml:"file,omitempty" file:"path"`
	// Missing says that the secret is not there yet. Everything that needs no secret is served meanwhile. Default:
	// false.
	Missing bool `yaml:"missing,omitempty"`
	// Source is the origin of the secret in messages; under the operator "<Secret>/<key>". Default: file.
	Source string `yaml:"source,omitempty"`

	revealed string
}

// NewSecret returns a secret for a configuration that is built in code.
func NewSecret(value string) Secret { return Secret{Value: value, revealed: value} }

// Reveal returns the secret, after Load has read it; empty while it is missing.
func (s Secret) Reveal() string { return s.revealed }

// Digest returns the SHA-256 of the secret. It tells the secret apart from others.
func (s Secret) Digest() [sha256.Size]byte { return sha256.Sum256([]byte(s.revealed)) }

// String hides the secret.
func (Secret) String() string { return "[redacted]" }

// GoString hides the secret.
func (Secret) GoString() string { return "[redacted]" }

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }
