// Package demo tests the script of `make run`.
package demo

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// script runs bash with the functions of the demo, and returns its output.
func script(t *testing.T, text string) string {
	t.Helper()
	// "go test" repeats a test only if files have changed that the test itself has read.
	for _, file := range []string{"demo.sh", "connector.yaml.tmpl", "../../kit/example/webhook.sh", "../../kit/example/zalo.sh"} {
		if _, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	bash := exec.CommandContext(t.Context(), "bash", "-c", ". ./demo.sh\n"+text)
	bash.Stderr = os.Stderr
	out, err := bash.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The connector takes the example configuration.
func TestConfig(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	path, apiKey, _ := strings.Cut(strings.TrimSpace(script(t, `prepare >&2; echo "$config $api_key"`)), " ")
	c, err := config.Load(path, types.Config())
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Channels[0].Webhook.APIKeys[0].Reveal(); got != apiKey || len(got) != 64 {
		t.Errorf("the API key is %q, want the generated one", got)
	}
}

// TestPorts: the usual one is taken if nothing listens there, and otherwise another.
func TestPorts(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	said := script(t, "choose "+port+`; echo "$chosen"`)
	if busy := "127.0.0.1:" + port; !strings.HasPrefix(said, busy+" is in use; taking 127.0.0.1:") || strings.HasSuffix(said, busy+"\n") {
		t.Errorf("where %s is in use it says %q", port, said)
	}
	_, port, _ = net.SplitHostPort(reserved.Address(t))
	if said := script(t, "choose "+port+`; echo "$chosen"`); said != "127.0.0.1:"+port+"\n" {
		t.Errorf("where %s is free it says %q", port, said)
	}
}
