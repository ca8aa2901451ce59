package main

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func succeed(context.Context) error { return nil }

// TestPlay: every step is told of, with its time.
func TestPlay(t *testing.T) {
	var out bytes.Buffer
	if err := play(t.Context(), &out, []step{{title: "First", do: succeed}, {title: "Second", do: succeed}}); err != nil {
		t.Fatal(err)
	}
	want := `
=== 1/2 First


    done after N s

=== 2/2 Second


    done after N s
`
	if diff := cmp.Diff(want, regexp.MustCompile(`[\d.]+ s`).ReplaceAllString(out.String(), "N s")); diff != "" {
		t.Error(diff)
	}
}

// TestPlayFails: a step that fails is the last one, and says where to look.
func TestPlayFails(t *testing.T) {
	var out bytes.Buffer
	err := play(t.Context(), &out, []step{
		{
			title: "First",
			do:    func(context.Context) error { return errors.New("no luck") },
			look:  []line{{"seq", "100"}, {"sh", "-c", "echo reason >&2; exit 3"}, {"no-such-program"}},
		},
		{title: "Second", do: func(context.Context) error { t.Error("the second step was done"); return nil }},
	})
	if err == nil || err.Error() != "step 1, First: no luck" {
		t.Errorf("got %v", err)
	}
	for _, want := range []string{
		"--- look at: seq 100\n  81\n", "\n  100\n",
		"--- look at: sh -c echo reason >&2; exit 3\n  reason\n  (exit status 3)\n",
		"--- look at: no-such-program\n", "executable file not found",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "\n  80\n") {
		t.Errorf("more than the last lines:\n%s", &out)
	}
}

// TestPlayInterrupted: Ctrl-C is no failure that anybody has to look into.
func TestPlayInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	err := play(ctx, &out, []step{{
		title: "First",
		do:    func(context.Context) error { cancel(); return context.Canceled },
		look:  []line{{"seq", "1"}},
	}})
	if err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v", err)
	}
	if strings.Contains(out.String(), "look at") {
		t.Errorf("it says where to look:\n%s", &out)
	}
}
