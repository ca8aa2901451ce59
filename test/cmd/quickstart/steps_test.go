package quickstart

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestStep: every step is announced, and its time is printed.
func TestStep(t *testing.T) {
	out, failure, ok := script(t, "guard; steps=2; step First true; step Second true")
	if !ok {
		t.Fatal(failure)
	}
	want := `
=== 1/2 First


    done after N s

=== 2/2 Second


    done after N s
`
	if diff := cmp.Diff(want, regexp.MustCompile(`[\d.]+ s`).ReplaceAllString(out, "N s")); diff != "" {
		t.Error(diff)
	}
}

// TestStepFails: a step that fails is the last one, and says where to look.
func TestStepFails(t *testing.T) {
	out, failure, ok := script(t, `guard; steps=2
		lose() { fail "no luck"; }
		step First lose "seq 100" "echo reason >&2; exit 3" no-such-program
		step Second true`)
	if ok || strings.TrimSpace(failure) != "quickstart: step 1, First: no luck" {
		t.Errorf("got %q", failure)
	}
	for _, want := range []string{
		"--- look at: seq 100\n  81\n", "\n  100\n",
		"--- look at: echo reason >&2; exit 3\n  reason\n  (exit status 3)\n",
		"--- look at: no-such-program\n", "command not found",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "\n  80\n") {
		t.Errorf("more than the last lines:\n%s", out)
	}
	if strings.Contains(out, "Second") {
		t.Errorf("the second step was done:\n%s", out)
	}
}

// TestStepInterrupted: Ctrl-C is no failure, and no place to look at is shown.
func TestStepInterrupted(t *testing.T) {
	out, failure, ok := script(t, `guard; stop() { kill -INT $$; }; step First stop "seq 1"; step Second true`)
	if ok || !strings.Contains(failure, "interrupted; run it again") {
		t.Errorf("got %q", failure)
	}
	if strings.Contains(out, "look at") || strings.Contains(out, "Second") {
		t.Errorf("it goes on, or says where to look:\n%s", out)
	}
}
