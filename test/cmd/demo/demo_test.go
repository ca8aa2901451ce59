// Package demo tests the script of `make run`.
package demo

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
)

// The example configuration is one that the connector takes.
func TestConfig(t *testing.T) {
	// What the test itself has read, "go test" runs it again for after a change.
	for _, file := range []string{"demo.sh", "connector.yaml.tmpl", "../../kit/example/zalo.sh"} {
		if _, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("TMPDIR", t.TempDir())
	bash := exec.CommandContext(t.Context(), "bash", "-c", `. ./demo.sh && prepare >&2 && echo "$config $api_key"`)
	bash.Stderr = os.Stderr
	out, err := bash.Output()
	if err != nil {
		t.Fatal(err)
	}
	path, apiKey, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	c, err := config.Load(path, types.Config())
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Channels[0].Webhook.APIKeys[0].Reveal(); got != apiKey || len(got) != 64 {
		t.Errorf("the API key is %q, want the generated one", got)
	}
}
