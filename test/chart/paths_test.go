package chart_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/test/kit/installation"
)

// TestPathsOfTheTypes: "helm test" calls the path that the connector serves, of every type of channel.
func TestPathsOfTheTypes(t *testing.T) {
	helpers, err := os.ReadFile(filepath.Join(installation.Root, chart, "templates/_helpers.tpl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range types.Channels {
		if line := fmt.Sprintf("\n  %q %q\n", kind.Name, kind.DefaultPath); !strings.Contains(string(helpers), line) {
			t.Errorf("channel-connector.defaultPath lacks %s", line)
		}
	}
}
