// Package quickstart tests the script of `make quickstart`.
package quickstart

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// script runs bash with the functions of the quickstart. It returns stdout and stderr, and reports whether it ended
// well.
func script(t *testing.T, text string) (out, failure string, ok bool) {
	t.Helper()
	// "go test" repeats a test only if files have changed that the test itself has read.
	for _, file := range []string{"quickstart.sh", "../../kit/example/zalo.sh"} {
		if _, err := os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	bash := exec.CommandContext(t.Context(), "bash", "-c", ". ./quickstart.sh\n"+text)
	var stdout, stderr bytes.Buffer
	bash.Stdout, bash.Stderr = &stdout, &stderr
	err := bash.Run()
	return stdout.String(), stderr.String(), err == nil
}

// TestAdvise: the commands work as they are in a new terminal.
func TestAdvise(t *testing.T) {
	for cluster, want := range map[string][]string{
		"local": {"export KUBECONFIG=/k\n", "export PATH=/b:$PATH\n", "make quickstart\n", "make quickstart-down\n"},
		"kind":  {"export KUBECONFIG=/k\n  kubectl", "make quickstart CLUSTER=kind\n", "make quickstart-down CLUSTER=kind\n"},
	} {
		t.Run(cluster, func(t *testing.T) {
			binaries := map[string]string{"local": "/b"}[cluster]
			out, failure, ok := script(t, "cluster="+cluster+" binaries="+binaries+"; advise /k")
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
	out, failure, ok := script(t, `step() { echo "$#|$1"; }; KUBECONFIG=/k; up`)
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
