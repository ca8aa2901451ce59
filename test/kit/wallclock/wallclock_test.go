package wallclock

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestOverlay: each file of the overlay is Go, Now adds the offset, and the reader looks where Env says. That a
// connector's clock moves is seen by test/cmd/hostile.
func TestOverlay(t *testing.T) {
	path, err := writeOverlay(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var overlay struct{ Replace map[string]string }
	if err := json.Unmarshal(list, &overlay); err != nil {
		t.Fatal(err)
	}
	contents := ""
	for _, name := range slices.Sorted(maps.Values(overlay.Replace)) {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.ParseFile(token.NewFileSet(), name, content, 0); err != nil {
			t.Error(err)
		}
		contents += string(content)
	}
	if len(overlay.Replace) != 3 || !strings.Contains(contents, addsOffset) || !strings.Contains(contents, `Getenv("`+Variable+`")`) {
		t.Errorf("the overlay is %v", overlay.Replace)
	}
}

func TestSet(t *testing.T) {
	clock := Clock(filepath.Join(t.TempDir(), "offset"))
	if err := clock.Set(-90 * time.Minute); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(string(clock)); err != nil || string(got) != "-5400" {
		t.Errorf("got %q, %v", got, err)
	}
}
