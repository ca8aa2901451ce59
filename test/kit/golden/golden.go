// Package golden compares results of tests with files. One flag rewrites these: go test ./path/of/the/package -update.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite golden files")

// Check fails the test unless the file holds got.
func Check(tb testing.TB, file string, got []byte) {
	tb.Helper()
	if *update {
		write(tb, file, got)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		tb.Errorf("%s (-want +got; -update makes it the new golden file):\n%s", file, diff)
	}
}

func write(tb testing.TB, file string, content []byte) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o644); err != nil {
		tb.Fatal(err)
	}
}
