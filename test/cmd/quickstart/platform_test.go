package quickstart

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/example"
)

const (
	testAPIKey      = "0a1b2c"
	testOASecretKey = "d3e4f5"
)

// connectorThat answers the calls with these statuses in turn, the last one for ever, and keeps the calls.
func connectorThat(t *testing.T, asked *[]string, statuses ...int) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*asked = append(*asked, fmt.Sprintf("%s %s %s %s", r.Method, r.URL, body, r.Header.Get(zalo.SignatureHeader)))
		status := statuses[min(len(*asked), len(statuses))-1]
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "5")
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, "said %d\n", status)
	}))
	t.Cleanup(server.Close)
	return server
}

// calls runs functions of the script that call the server.
func calls(t *testing.T, server *httptest.Server, text string) (out, failure string, ok bool) {
	t.Helper()
	t.Setenv("EVENT", string(example.Event))
	return script(t, on("zalo")+"shown=http://shop/push path=/push api_key="+testAPIKey+
		" address="+strings.TrimPrefix(server.URL, "http://")+"\n"+text)
}

// signedEvent are the arguments of the example event with a signature.
const signedEvent = `"with xBot's example event, signed" POST "$EVENT" "$(sign "$EVENT" ` + testOASecretKey + `)"`

// TestCalls: the calls are Zalo's, and are shown without the keys.
func TestCalls(t *testing.T) {
	tests := map[string]struct {
		call        string
		status      int
		asks, shows string
	}{
		"probe": {
			"'with {}, unsigned' POST '{}'", http.StatusOK, "POST /push?param.header.xp-api-key=0a1b2c {} ",
			"POST http://shop/push?param.header.xp-api-key=<API key> with {}, unsigned\n    200 said 200\n",
		},
		"check by GET": {
			"'' GET", http.StatusOK, "GET /push?param.header.xp-api-key=0a1b2c  ",
			"GET http://shop/push?param.header.xp-api-key=<API key>\n    200 said 200\n",
		},
		"event": {
			signedEvent, http.StatusServiceUnavailable,
			"POST /push?param.header.xp-api-key=0a1b2c " + string(example.Event) + " " +
				zalo.Sign(example.AppID, example.Event, "1699003881354", testOASecretKey),
			"POST http://shop/push?param.header.xp-api-key=<API key> with xBot's example event, signed\n    503 said 503 (Retry-After: 5)\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var asked []string
			out, failure, ok := calls(t, connectorThat(t, &asked, tt.status), fmt.Sprintf("expect %d %s", tt.status, tt.call))
			if !ok {
				t.Fatal(failure)
			}
			if diff := cmp.Diff([]string{tt.asks}, asked); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.shows, out); diff != "" {
				t.Errorf("shown (-want +got):\n%s", diff)
			}
		})
	}
}

// TestUnexpectedAnswer: such an answer is an error, and its text has no key.
func TestUnexpectedAnswer(t *testing.T) {
	var asked []string
	server := connectorThat(t, &asked, http.StatusUnauthorized)
	_, refused, _ := calls(t, server, "expect 200 'with {}, unsigned' POST '{}'")
	_, unsigned, _ := calls(t, server, "insist 'with {}, unsigned' POST '{}'")
	server.Close()
	_, silent, _ := calls(t, server, "expect 200 'with {}, unsigned' POST '{}'")
	for want, failure := range map[string]string{"answered 401, want 200": refused, "answered 401 said 401": unsigned, "no answer": silent} {
		if !strings.Contains(failure, want) || strings.Contains(failure, testAPIKey) {
			t.Errorf("got %q, want %q", failure, want)
		}
	}
}

// TestInsist: 503 is answered with the same call, until it is accepted.
func TestInsist(t *testing.T) {
	var asked []string
	out, failure, ok := calls(t, connectorThat(t, &asked, 503, 503, 200), "insist "+signedEvent)
	if !ok {
		t.Fatal(failure)
	}
	if len(asked) != 3 || asked[0] != asked[1] || asked[1] != asked[2] {
		t.Errorf("it made these calls: %q", asked)
	}
	if !strings.Contains(out, "200 said 200\n\nAccepted after ") || !strings.Contains(out, "Calls answered 503 before that: 2.") {
		t.Errorf("it shows:\n%s", out)
	}
}

// kubectlScript stands for kubectl of a cluster with a channel. In the folder $SECRETS, each key of a Secret is a file.
const kubectlScript = `#!/bin/bash
set -e
echo "$*" >>"$ARGUMENTS"
case "$*" in
*"get channelconnector/"*address*) printf http://shop-connector.quickstart.svc ;;
*"get channelconnector/"*) printf '%s' "$CONDITION" ;;
*"get secrets"*) for file in "$SECRETS"/*; do file=${file##*/}; echo "secret/${file%%,*}"; done ;;
*"get secret "*) key=${6#*.data.}; base64 <"$SECRETS/$5,${key%\}}" ;;
*port-forward*) echo "Forwarding from $FORWARD -> 8080"; exec sleep 3600 ;;
*apply*)
	manifest=$(cat)
	printf '%s\n' "$manifest"
	if [[ $manifest =~ "kind: Secret".*\ name:\ ([a-z-]+) ]]; then
		while read -r key value; do
			printf '%s' "${value//\"/}" >"$SECRETS/.next"
			mv "$SECRETS/.next" "$SECRETS/${BASH_REMATCH[1]},${key%:}"
		done <<<"${manifest#*stringData:$'\n'}"
	fi ;;
*wait*) echo condition met ;;
*) echo "unexpected: $*" >&2; exit 1 ;;
esac
`

// fakeCluster turns kubectl to a cluster whose connector is at an address. It returns the folder of its Secrets. The file
// $ARGUMENTS gets those of every process.
func fakeCluster(t *testing.T, address string) (secrets string) {
	t.Helper()
	programs, secrets := t.TempDir(), t.TempDir()
	scripts := map[string]string{"kubectl": kubectlScript}
	for _, name := range []string{"base64", "cat", "date", "mktemp", "od", "rm", "sed", "sha256sum", "sleep", "tr"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		scripts[name] = "#!/bin/bash\necho \"$*\" >>\"$ARGUMENTS\"\nexec " + path + " \"$@\"\n"
	}
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(programs, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("ARGUMENTS", filepath.Join(programs, "arguments"))
	t.Setenv("PATH", programs+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("SECRETS", secrets)
	t.Setenv("FORWARD", address)
	t.Setenv("CONDITION", "CredentialsResolved=False AwaitingOASecretKey: paste the URL")
	return secrets
}

// keep makes Secrets of the cluster. Their keys are "NAME,KEY".
func keep(t *testing.T, secrets string, keys map[string]string) {
	t.Helper()
	for key, value := range keys {
		if err := os.WriteFile(filepath.Join(secrets, key), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// journey plays the steps in which a platform calls, with an event of a message. It returns their output.
func journey(t *testing.T, platform, message string) string {
	t.Helper()
	out, failure, ok := script(t, "message="+message+"; "+on(platform)+"make_channel; save_url; receive")
	if !ok {
		t.Fatalf("%s\n%s", failure, out)
	}
	return out
}

// TestFirstRun: the console's calls, a refused event, the Secret, the same event.
func TestFirstRun(t *testing.T) {
	var asked []string
	secrets := fakeCluster(t, connectorThat(t, &asked, 200, 200, 503, 503, 200).Listener.Addr().String())
	keep(t, secrets, map[string]string{"shop-xbots,xp-api-key": "of another", "shop-zalobot,secret-token": "of another"})
	out := journey(t, "zalo", "0123abcd")
	apiKey, secretKey := read(t, secrets, "shop-xbot,xp-api-key"), read(t, secrets, "shop-zalo,oa-secret-key")
	wantCalls(t, asked, apiKey, "POST {}", "GET", "POST 0123abcd", "POST 0123abcd", "POST 0123abcd")
	if len(asked) == 5 && asked[2] != asked[4] {
		t.Errorf("the event that was refused is not the one that was accepted:\n%s\n%s", asked[2], asked[4])
	}
	inOrder(t, out, "name: shop-xbot", "kind: ChannelConnector", "paste the URL", "with {}, unsigned",
		"503 said 503 (Retry-After: 5)", "name: shop-zalo", `oa-secret-key: "`, "Accepted after", "wait --for=condition=Ready")
	wantSigned(t, asked[4], secretKey)
}

// TestNextRun: with the keys of the first one, another event is accepted.
func TestNextRun(t *testing.T) {
	var asked []string
	secrets := fakeCluster(t, connectorThat(t, &asked, 200).Listener.Addr().String())
	keep(t, secrets, map[string]string{"shop-xbot,xp-api-key": testAPIKey, "shop-zalo,oa-secret-key": testOASecretKey})
	out := journey(t, "zalo", "0123abcd")
	wantCalls(t, asked, testAPIKey, "POST {}", "GET", "POST 0123abcd")
	wantSigned(t, asked[2], testOASecretKey)
	if strings.Contains(out, "kind: Secret") || strings.Contains(out, testAPIKey) || strings.Contains(out, testOASecretKey) {
		t.Errorf("it writes or shows the keys that are there:\n%s", out)
	}
}

// read returns a key of a Secret.
func read(t *testing.T, secrets, key string) string {
	t.Helper()
	value, err := os.ReadFile(filepath.Join(secrets, key))
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

func wantSigned(t *testing.T, call, key string) {
	t.Helper()
	signature := zalo.Sign(example.AppID, example.EventWithID("0123abcd"), example.Timestamp, key)
	if !strings.HasSuffix(call, signature) {
		t.Errorf("it is not signed with the key of the Secret: %s", call)
	}
}

// wantCalls compares calls by their method and a part of their body.
func wantCalls(t *testing.T, asked []string, apiKey string, want ...string) {
	t.Helper()
	if len(asked) != len(want) {
		t.Fatalf("%d calls, want %d: %q", len(asked), len(want), asked)
	}
	for i, call := range asked {
		method, body, _ := strings.Cut(want[i], " ")
		url := method + " " + zalo.DefaultPath + "?param.header.xp-api-key=" + apiKey
		if !strings.HasPrefix(call, url) || !strings.Contains(call, body) {
			t.Errorf("call %d is %q, want %s", i, call, want[i])
		}
	}
}

// inOrder checks that the text has the parts one after the other.
func inOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, part := range parts {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Fatalf("%q is missing, or not in its place:\n%s", part, text)
		}
		rest = after
	}
}
