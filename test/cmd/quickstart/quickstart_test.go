package main

import (
	"bytes"
	"strings"
	"testing"
)

// TestAdvise: the commands work as they are in a new terminal.
func TestAdvise(t *testing.T) {
	for cluster, want := range map[string][]string{
		"local": {"export KUBECONFIG=/k\n", "export PATH=/b:$PATH\n", "make quickstart\n", "make quickstart-down\n"},
		"kind":  {"export KUBECONFIG=/k\n  kubectl", "make quickstart CLUSTER=kind\n", "make quickstart-down CLUSTER=kind\n"},
	} {
		t.Run(cluster, func(t *testing.T) {
			var out bytes.Buffer
			q := quickstart{cluster: cluster, out: &out}
			if cluster == local {
				q.binaries = "/b"
			}
			if err := q.advise("/k"); err != nil {
				t.Fatal(err)
			}
			for _, text := range want {
				if !strings.Contains(out.String(), text) {
					t.Errorf("it lacks %q:\n%s", text, &out)
				}
			}
		})
	}
}

// TestSteps: whatever fails, but for what prints its own reasons, says where to look.
func TestSteps(t *testing.T) {
	q := quickstart{cluster: "kind", message: "0123abcd"}
	for _, s := range q.steps() {
		if len(s.look) == 0 && !strings.Contains(s.title, "images") {
			t.Errorf("%s: nowhere to look", s.title)
		}
	}
}

func TestLineWith(t *testing.T) {
	const log = "first a\nsecond b\nthird b\n"
	for what, want := range map[string]string{"b": "second b", "x": "", "third": "third b"} {
		if got := lineWith(log, what); got != want {
			t.Errorf("with %q: %q, want %q", what, got, want)
		}
	}
}

func TestRefusesOtherWords(t *testing.T) {
	q := quickstart{out: &bytes.Buffer{}}
	if err := q.play(t.Context(), "sideways"); err == nil || !strings.Contains(err.Error(), `say up or down, not "sideways"`) {
		t.Errorf("got %v", err)
	}
}
