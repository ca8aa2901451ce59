package quickstart

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
	"xbot.a4b.vn/channel-connector/test/kit/reserved"
)

// TestJourneys: the calls of each platform bring the event of a first run to the sink, and that of the next one. No key is
// shown again, and none is an argument of a process. The connector is real, and so are its answers; only Kubernetes is
// played.
func TestJourneys(t *testing.T) {
	for _, platform := range platforms(t) {
		t.Run(platform, func(t *testing.T) {
			c := resource(t, platform)
			address := reserved.Address(t)
			secrets := fakeCluster(t, address)
			t.Setenv("CONDITION", "CredentialsResolved=False "+credentials.ReasonAwaiting(c.Spec.Type)+": none yet")
			if out, failure, ok := script(t, on(platform)+"make_channel"); !ok { // the Secrets that the connector starts with
				t.Fatal(failure, out)
			}
			received := serve(t, configuration(t, c, secrets, address))
			first := journey(t, platform, "0123abcd")
			if refused := strings.Contains(first, "\n    503 "); refused != (platform != "azure") {
				t.Errorf("refused before the key: %v, in\n%s", refused, first)
			}
			arrives(t, received, "0123abcd")
			next := journey(t, platform, "4567cdef")
			arrives(t, received, "4567cdef")
			arguments, err := os.ReadFile(os.Getenv("ARGUMENTS"))
			if err != nil || !bytes.Contains(arguments, []byte("port-forward")) {
				t.Fatalf("no arguments of processes: %v", err)
			}
			for _, key := range keys(t, secrets) {
				if value := read(t, secrets, key); strings.Contains(next+string(arguments), value) {
					t.Errorf("it shows %s:\n%s%s", key, next, arguments)
				}
			}
		})
	}
}

// TestAnotherChannel: the Secrets of one channel are not taken for another's, whose name begins alike.
func TestAnotherChannel(t *testing.T) {
	secrets := fakeCluster(t, reserved.Address(t))
	keep(t, secrets, map[string]string{"shop-zalobot-xbot,xp-api-key": "1", "shop-zalobot,secret-token": "1"})
	out, failure, ok := script(t, on("zalo")+`make_channel; echo "awaiting: $awaiting"`)
	if !ok || !strings.Contains(out, "awaiting: yes") {
		t.Errorf("%s\n%s", failure, out)
	}
}

// keys lists those of a cluster's Secrets, as "NAME,KEY".
func keys(t *testing.T, secrets string) (names []string) {
	t.Helper()
	files, err := os.ReadDir(secrets)
	if err != nil || len(files) == 0 {
		t.Fatalf("no Secrets: %v", err)
	}
	for _, file := range files {
		names = append(names, file.Name())
	}
	return names
}

// configuration is that of the connector of a ChannelConnector, with its Secrets in a folder, at an address.
func configuration(t *testing.T, c *v1alpha1.ChannelConnector, secrets, address string) map[string]any {
	t.Helper()
	values := map[string]render.Value{}
	for _, r := range render.References(c, v1alpha1.SecretKeyRef{}) {
		values[r.Field] = render.Value{Source: filepath.Join(secrets, r.Name+","+r.Key)}
	}
	rendered, err := render.Render(c, &render.Credentials{Values: values})
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := yaml.Unmarshal(rendered.Files[render.FileName], &file); err != nil {
		t.Fatal(err)
	}
	useFiles(file["channels"])
	file["server"] = map[string]any{"address": address}
	file["metrics"] = map[string]any{"address": reserved.Address(t)}
	file["admin"] = map[string]any{"socket": filepath.Join(t.TempDir(), "socket")}
	file["inbox"] = map[string]any{"embedded": map[string]any{"path": t.TempDir()}}
	return file
}

// useFiles reads secrets from where their sources say.
func useFiles(part any) {
	switch part := part.(type) {
	case []any:
		for _, element := range part {
			useFiles(element)
		}
	case map[string]any:
		for _, member := range part {
			useFiles(member)
		}
		if source, ok := part["source"]; ok {
			part["file"] = source
			delete(part, "source")
			delete(part, "missing")
		}
	}
}

// serve runs a connector with a configuration, but for its sink, until the test ends. It returns the bodies that the sink
// receives.
func serve(t *testing.T, file map[string]any) <-chan string {
	t.Helper()
	received := make(chan string, 10)
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- string(body)
	}))
	t.Cleanup(sink.Close)
	for _, channel := range file["channels"].([]any) {
		channel.(map[string]any)["sink"] = map[string]any{"http": map[string]any{"url": sink.URL}}
	}
	content, err := yaml.Marshal(file)
	path := filepath.Join(t.TempDir(), "connector.yaml")
	if err == nil {
		err = os.WriteFile(path, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- connector.Run(ctx, logr.Discard(), new(slog.LevelVar), path) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the connector: %v", err)
		}
	})
	ready := "http://" + file["metrics"].(map[string]any)["address"].(string) + "/readyz"
	poll.Until(t, "readiness", func() bool {
		resp, err := http.Get(ready)
		return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
	return received
}

// arrives fails unless the next body that the sink receives has a text.
func arrives(t *testing.T, received <-chan string, text string) {
	t.Helper()
	poll.Until(t, text+" at the sink", func() bool { return len(received) > 0 })
	if body := <-received; !strings.Contains(body, text) {
		t.Errorf("the sink received %s, want %s", body, text)
	}
}
