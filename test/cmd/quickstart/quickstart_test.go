// Package quickstart tests the script of `make quickstart`.
package quickstart

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// script runs bash with the functions of the quickstart. It returns stdout and stderr, and reports whether it ended
// well.
func script(t *testing.T, text string) (out, failure string, ok bool) {
	t.Helper()
	// "go test" repeats a test only if files have changed that the test itself has read.
	for _, pattern := range []string{"*.*", "manifests/*", "channels/*/*", "../../kit/example/*"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no such file, %v", pattern, err)
		}
		for _, file := range files {
			if _, err := os.ReadFile(file); err != nil {
				t.Fatal(err)
			}
		}
	}
	bash := exec.CommandContext(t.Context(), "bash", "-c", ". ./quickstart.sh\n"+text)
	var stdout, stderr bytes.Buffer
	bash.Stdout, bash.Stderr = &stdout, &stderr
	err := bash.Run()
	return stdout.String(), stderr.String(), err == nil
}

// on is the beginning of a script that is about a platform.
func on(platform string) string { return "guard; platform=" + platform + "; choose_platform; " }

// platforms are all of them.
func platforms(t *testing.T) []string {
	t.Helper()
	folders, err := os.ReadDir("channels")
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(folders))
	for i, folder := range folders {
		names[i] = folder.Name()
	}
	return names
}

// TestChoosePlatform: it is Zalo unless CHANNEL says otherwise, and one that does not exist is told with those that do.
func TestChoosePlatform(t *testing.T) {
	for channel, want := range map[string]string{"": "channelconnector/shop\n", "azure": "channelconnector/shop-azure\n"} {
		t.Setenv("CHANNEL", channel)
		if out, failure, ok := script(t, `choose_platform; echo "$channel"`); !ok || out != want {
			t.Errorf("CHANNEL=%s: %s%s, want %s", channel, out, failure, want)
		}
	}
	for _, channel := range []string{"teams", "../channels/zalo", "azure, zalo", "*", "."} {
		t.Setenv("CHANNEL", channel)
		want := fmt.Sprintf("\nquickstart: there is no channel %q: CHANNEL is one of %s\n", channel, strings.Join(platforms(t), ", "))
		if out, failure, ok := script(t, `step() { echo "$1"; }; main up`); ok || out != "" || failure != want {
			t.Errorf("CHANNEL=%s: %s%s, want %s", channel, out, failure, want)
		}
	}
}

// TestRemovesWhateverChannel: what CHANNEL says does not matter to the removal.
func TestRemovesWhateverChannel(t *testing.T) {
	t.Setenv("CHANNEL", "teams")
	if out, failure, ok := script(t, `in_cluster=(echo cluster); main down`); !ok || !strings.Contains(out, "cluster down") {
		t.Errorf("got %q, %q", out, failure)
	}
}

// TestEveryChannelIsNamed: people learn of each where they look for it.
func TestEveryChannelIsNamed(t *testing.T) {
	for _, file := range []string{"Makefile", "README.md", "CHANGELOG.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, platform := range platforms(t) {
			if !regexp.MustCompile(`CHANNEL=[^;)]*\b`+platform+`\b`).Match(text) && platform != "zalo" {
				t.Errorf("%s does not name CHANNEL=%s", file, platform)
			}
		}
	}
}

// TestAdvise: the commands work as they are in a new terminal.
func TestAdvise(t *testing.T) {
	for cluster, want := range map[string][]string{
		"local": {
			"export KUBECONFIG=/k\n", "export PATH=/b:$PATH\n", "describe chc shop-azure\n", "secret generic shop-azure-xbot ",
			"deployment/shop-azure-connector ", "another channel (messenger, zalo, zalobot),", "make quickstart CHANNEL=azure\n",
			"make quickstart-down\n",
		},
		"kind": {
			"export KUBECONFIG=/k\n  kubectl", "make quickstart CHANNEL=azure CLUSTER=kind\n", "make quickstart-down CLUSTER=kind\n",
		},
	} {
		t.Run(cluster, func(t *testing.T) {
			binaries := map[string]string{"local": "/b"}[cluster]
			out, failure, ok := script(t, on("azure")+"cluster="+cluster+" binaries="+binaries+"; advise /k")
			if !ok {
				t.Fatal(failure)
			}
			for _, text := range want {
				if !strings.Contains(out, text) {
					t.Errorf("it lacks %q:\n%s", text, out)
				}
			}
		})
	}
}

// TestSteps: every step that can fail says where to look, unless it prints its own reasons.
func TestSteps(t *testing.T) {
	for _, platform := range platforms(t) {
		t.Run(platform, func(t *testing.T) {
			out, failure, ok := script(t, `step() { echo "$#|$1"; }; KUBECONFIG=/k platform=`+platform+"; up")
			if !ok {
				t.Fatal(failure)
			}
			steps := 0
			for line := range strings.Lines(out) {
				arguments, title, isStep := strings.Cut(strings.TrimSpace(line), "|")
				if !isStep || strings.Contains(title, "|") {
					continue
				}
				steps++
				if arguments == "2" && !strings.Contains(title, "images") {
					t.Errorf("%s: nowhere to look", title)
				}
				if steps == 8 {
					break // the rest is the advice
				}
			}
			if steps != 8 {
				t.Errorf("%d steps, want 8:\n%s", steps, out)
			}
		})
	}
}

func TestBlockWith(t *testing.T) {
	const log = "first a\n\nsecond b\nmore\n\nthird b\n"
	for what, want := range map[string]string{"b": "second b\nmore\n", "x": "", "third": "third b\n"} {
		if got, _, _ := script(t, "block_with "+what+" <<'END'\n"+log+"END\n"); got != want {
			t.Errorf("with %q: %q, want %q", what, got, want)
		}
	}
}

func TestRefusesOtherWords(t *testing.T) {
	if out, failure, ok := script(t, "main sideways"); ok || !strings.Contains(failure, `say up or down, not "sideways"`) {
		t.Errorf("got %q, %q", out, failure)
	}
}

// TestIsOfBash: the script can be read, and run as it is.
func TestIsOfBash(t *testing.T) {
	info, err := os.Stat("quickstart.sh")
	if err != nil || info.Mode()&0o100 == 0 {
		t.Errorf("it cannot be run: %v, %v", info, err)
	}
}
