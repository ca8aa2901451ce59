package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDockerfile: what Docker builds says of itself what these images say.
func TestDockerfile(t *testing.T) {
	stages := readStages(t)
	for _, p := range programs {
		got := parseStage(stages["base"] + stages[p.name])
		b := batch{version: "$VERSION", revision: "$REVISION"}
		labels := b.labels(p)
		delete(labels, "org.opencontainers.image.created") // Docker notes the time by itself
		want := stage{
			user:       user,
			env:        searchPath,
			entrypoint: `["/` + p.name + `"]`,
			ports:      strings.Join(p.ports, " "),
			labels:     labels,
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(stage{})); diff != "" {
			t.Errorf("%s (-images +Dockerfile):\n%s", p.name, diff)
		}
	}
}

// TestDockerBuildsAsTheMakefile: the compiler's flags stand in one place.
func TestDockerBuildsAsTheMakefile(t *testing.T) {
	build := readStages(t)["build"]
	if !strings.Contains(build, " make build ") || strings.Contains(build, "go build") {
		t.Errorf("the Dockerfile does not leave the build to make:\n%s", build)
	}
}

// toolchain is the oldest Go that go.mod lets compile.
func toolchain(t *testing.T) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^toolchain go(\S+)$`).FindSubmatch(readFile(t, filepath.Join("..", "go.mod")))
	if found == nil {
		t.Fatal("go.mod names no toolchain")
	}
	return string(found[1])
}

// TestDockerCompilesWithTheToolchain, which has no holes that are known.
func TestDockerCompilesWithTheToolchain(t *testing.T) {
	if want := " golang:" + toolchain(t) + " AS build\n"; !strings.Contains(readStages(t)["build"], want) {
		t.Errorf("the Dockerfile does not build with%s", want)
	}
}

// TestMakeRefusesAnOlderGo: a Go that may not fetch the toolchain compiles with its own, and says nothing.
func TestMakeRefusesAnOlderGo(t *testing.T) {
	wanted := toolchain(t)
	for version, refused := range map[string]bool{
		"go1.25.99": true, "go1.26rc2": true, "go1.26.0": true, "go1.9.9": true,
		"go" + wanted: false, "go" + wanted + "-custom": false, "go1.26.10": false, "go1.100.0": false, "devel go1.99-0123abc": false,
	} {
		older := filepath.Join(t.TempDir(), "go")
		if err := os.WriteFile(older, []byte("#!/bin/sh\necho '"+version+"'\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		check := exec.Command("make", "--no-print-directory", "toolchain", "GO="+older)
		check.Dir = ".."
		said, err := check.CombinedOutput()
		if (err != nil) != refused || strings.Contains(string(said), version+" is older than go"+wanted) != refused {
			t.Errorf("%s: %v: %s", version, err, said)
		}
	}
	for _, target := range []string{"build", "run", "images", "test", "e2e", "quickstart"} {
		checked := regexp.MustCompile(`(?m)^` + target + `:([^#\n]*) toolchain `)
		if !checked.Match(readFile(t, filepath.Join("..", "Makefile"))) {
			t.Errorf("make %s compiles with any Go", target)
		}
	}
}

// TestDockerGetsEverySource: the build has only what .dockerignore lets through.
func TestDockerGetsEverySource(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var let []string
	for line := range strings.Lines(string(readFile(t, filepath.Join(root, ".dockerignore")))) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "!"); ok {
			let = append(let, name)
		}
	}
	list := exec.Command("go", "list", "-deps", "-f", "{{if .Module}}{{if .Module.Main}}{{.Dir}}{{end}}{{end}}", "./cmd/...")
	list.Dir = root
	folders, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	needed := []string{"go.mod", "go.sum", "Makefile"}
	for folder := range strings.FieldsSeq(string(folders)) {
		name, err := filepath.Rel(root, folder)
		if err != nil {
			t.Fatal(err)
		}
		needed = append(needed, name)
	}
	for _, name := range needed {
		if !isWithin(name, let) {
			t.Errorf(".dockerignore keeps %s from the build", name)
		}
	}
}

func isWithin(name string, folders []string) bool {
	for _, folder := range folders {
		if name == folder || strings.HasPrefix(name, folder+"/") {
			return true
		}
	}
	return false
}

// readStages returns the text of each stage of the Dockerfile, one instruction to the line.
func readStages(t *testing.T) map[string]string {
	t.Helper()
	text := strings.ReplaceAll(string(readFile(t, filepath.Join("..", "Dockerfile"))), "\\\n", " ")
	stages := make(map[string]string)
	name := ""
	from := regexp.MustCompile(`^FROM .* AS (\w+)`)
	for line := range strings.Lines(text) {
		if found := from.FindStringSubmatch(line); found != nil {
			name = found[1]
		}
		stages[name] += line
	}
	return stages
}

// stage is what the instructions of a Dockerfile say of an image.
type stage struct {
	user, env, entrypoint, ports string
	labels                       map[string]string
}

func parseStage(text string) stage {
	s := stage{labels: make(map[string]string)}
	label := regexp.MustCompile(`([\w.]+)="([^"]*)"`)
	for line := range strings.Lines(text) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch instruction {
		case "USER":
			s.user = rest
		case "ENV":
			s.env = rest
		case "ENTRYPOINT":
			s.entrypoint = rest
		case "EXPOSE":
			s.ports = rest
		case "LABEL":
			for _, found := range label.FindAllStringSubmatch(rest, -1) {
				s.labels[found[1]] = found[2]
			}
		}
	}
	return s
}
