package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPurposes: each needs something, and the check of a commit needs all of it.
func TestPurposes(t *testing.T) {
	all := make(map[string]bool)
	for _, need := range purposes["ci"]() {
		all[need.What] = true
	}
	for purpose, needs := range purposes {
		if len(needs()) == 0 {
			t.Errorf("%s needs nothing", purpose)
		}
		for _, need := range needs() {
			if !all[need.What] {
				t.Errorf("%s needs %s, and ci does not", purpose, need.What)
			}
			if need.Why == "" || len(need.Packages) == 0 {
				t.Errorf("%s: no reason or no package", need.What)
			}
		}
	}
}

func TestRefusesOtherWords(t *testing.T) {
	for _, args := range [][]string{nil, {"quickstart"}, {"test", "ci"}} {
		if err := run(t.Context(), args, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "say build, test, cluster or ci") {
			t.Errorf("%q: got %v", args, err)
		}
	}
}

// TestMakefile: each command first sees to what it needs, and builds no more than that.
func TestMakefile(t *testing.T) {
	tests := map[string]struct {
		args      []string
		has, lack string
	}{
		"test":                 {[]string{"test"}, "./cmd/setup test", "./cmd/setup cluster"},
		"quickstart":           {[]string{"quickstart"}, "./cmd/setup cluster", ""},
		"quickstart of Zalo":   {[]string{"quickstart"}, "CHANNEL='zalo' ", ""},
		"quickstart's channel": {[]string{"quickstart", "CHANNEL=azure"}, "CHANNEL='azure' ", ""},
		"another's cluster":    {[]string{"quickstart", "CLUSTER=current"}, "./cmd/setup build", "./cmd/setup cluster"},
		"cluster":              {[]string{"cluster-up"}, "./cmd/setup cluster", ""},
		"cluster of kind":      {[]string{"cluster-up", "CLUSTER=kind"}, "./cmd/setup build", "./cmd/setup cluster"},
		"end to end":           {[]string{"e2e"}, "./cmd/setup cluster", ""},
		"demo":                 {[]string{"run"}, "./cmd/setup build", ""},
		"demo builds no more":  {[]string{"run"}, " ./cmd/connector", " ./cmd/..."},
		"demo in other folder": {[]string{"run", "BIN=/elsewhere"}, "demo.sh /elsewhere/connector", "bin/connector"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			commands, _ := plan(t, tt.args...)
			if !strings.Contains(commands, tt.has) || tt.lack != "" && strings.Contains(commands, tt.lack) {
				t.Errorf("want %q and not %q:\n%s", tt.has, tt.lack, commands)
			}
		})
	}
}

// TestWithoutGit: the images have a version, and nothing complains.
func TestWithoutGit(t *testing.T) {
	folder := t.TempDir()
	for _, command := range []string{"make", "bash", "go", "sed", "cut"} {
		path, err := exec.LookPath(command)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(folder, command)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", folder)
	for _, target := range []string{"quickstart", "images", "run"} {
		commands, said := plan(t, target)
		if said != "" {
			t.Errorf("%s complains:\n%s", target, said)
		}
		if !strings.Contains(commands, "version.Linked=dev") && !strings.Contains(commands, "VERSION='dev'") {
			t.Errorf("%s knows no version:\n%s", target, commands)
		}
	}
}

// plan returns what make would run, and what it says beside that.
func plan(t *testing.T, args ...string) (commands, said string) {
	t.Helper()
	program := exec.CommandContext(t.Context(), "make", append([]string{"--dry-run", "--no-print-directory"}, args...)...)
	program.Dir = filepath.Join("..", "..", "..")
	// What the make that runs this test was told is not for this one.
	told := func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains([]string{"MAKEFLAGS", "MAKEOVERRIDES", "BIN", "CHANNEL", "CLUSTER", "VERSION", "REVISION"}, name)
	}
	program.Env = slices.DeleteFunc(os.Environ(), told)
	var stdout, stderr bytes.Buffer
	program.Stdout, program.Stderr = &stdout, &stderr
	if err := program.Run(); err != nil {
		t.Fatalf("make %q: %v\n%s", args, err, &stderr)
	}
	return stdout.String(), stderr.String()
}
