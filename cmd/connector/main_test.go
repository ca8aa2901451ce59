package main

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"go.uber.org/goleak"

	"xbot.a4b.vn/channel-connector/cmd/internal/version"
)

func TestMain(m *testing.M) {
	if os.Getenv(runAsConnector) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

func newTestRoot(stdout, stderr io.Writer, args ...string) *cobra.Command {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return root
}

// run runs a command in this process.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, messages bytes.Buffer
	code = execute(t.Context(), newTestRoot(&out, &messages, args...))
	return code, out.String(), messages.String()
}

func TestUsageErrorsExit2(t *testing.T) {
	tests := map[string]struct {
		args []string
		want string
	}{
		"unknown command":       {[]string{"srve"}, `unknown command "srve"`},
		"unknown subcommand":    {[]string{"deadletters", "redo"}, `unknown command "redo"`},
		"unknown flag":          {[]string{"version", "--short"}, "unknown flag: --short"},
		"missing flag":          {[]string{"serve"}, `required flag(s) "config" not set`},
		"word out of a choice":  {[]string{"status", "-o", "yaml"}, "want table|json"},
		"surplus argument":      {[]string{"status", "now"}, "now"},
		"config and admin":      {[]string{"status", "--config=x", "--admin=y"}, "config admin"},
		"no id":                 {[]string{"deadletters", "show", "--channel=x"}, "accepts 1 arg(s)"},
		"redrive of nothing":    {[]string{"deadletters", "redrive", "--channel=x"}, "or give --all"},
		"drop of ids and all":   {[]string{"deadletters", "drop", "--channel=x", "--all", "ab"}, "or give --all"},
		"send of nothing":       {[]string{"send"}, "no --app-id, which an event of type ZaloOA needs: give it, or --file"},
		"send of file and app":  {[]string{"send", "--file=x", "--app-id=1"}, "file app-id"},
		"a secret and its file": {[]string{"send", "--app-id=1", "--secret=x", "--secret-file=y"}, "secret secret-file"},
		"a negative count":      {[]string{"send", "--app-id=1", "--count=-1"}, "count"},
		"a count of 0":          {[]string{"send", "--app-id=1", "--api-key=x", "--count=0"}, "--count is 0"},
		"no API key":            {[]string{"send", "--app-id=1"}, "no API key: give --api-key-file"},
		"no API key in the URL": {[]string{"send", "--app-id=1", "--url=http://a/?param.header.xp-api-key="}, "no API key"},
		"an empty API key":      {[]string{"send", "--app-id=1", "--api-key="}, "--api-key is empty"},
		"an empty secret":       {[]string{"send", "--app-id=1", "--api-key=x", "--secret="}, "--secret is empty"},
		"an empty app":          {[]string{"send", "--app-id=", "--api-key=x"}, "--app-id is empty"},
		"a URL that is none": {
			[]string{"send", "--app-id=1", "--api-key=x", "--url=http://[?key=private"}, "--url is no URL of a webhook: write for example http://",
		},
		"a URL without a scheme": {[]string{"send", "--app-id=1", "--api-key=x", "--url=localhost:8080/webhook"}, "--url is no URL of a webhook"},
		"a URL without a host":   {[]string{"send", "--app-id=1", "--api-key=x", "--url=http:///webhook"}, "--url is no URL of a webhook"},
		"a URL of another kind":  {[]string{"send", "--app-id=1", "--api-key=x", "--url=ftp://host/webhook"}, "--url is no URL of a webhook"},
		"an empty socket":        {[]string{"status", "--admin="}, "--admin is empty"},
		"an empty configuration": {[]string{"status", "--config="}, "--config is empty"},
		"an empty channel":       {[]string{"deadletters", "drop", "--all", "--channel="}, "--channel is empty"},
		"an empty file":          {[]string{"inbox", "export", "--path=x", "--output="}, "--output is empty"},
		"an empty folder":        {[]string{"inbox", "check", "--path="}, "--path is empty"},
		"unknown form of logs":   {[]string{"serve", "--config=x", "--log-format=loud"}, "want auto|text|json"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := run(t, tt.args...)
			if code != exitUsage || !strings.Contains(stderr, tt.want) || !strings.Contains(stderr, "--help") {
				t.Errorf("exit %d, want 2 with %q; stderr:\n%s", code, tt.want, stderr)
			}
			if stdout != "" || strings.Contains(stderr, "private") {
				t.Errorf("stdout: %s, stderr: %s", stdout, stderr)
			}
		})
	}
}

func TestFailuresArePrintedOnceWithoutUsage(t *testing.T) {
	code, _, stderr := run(t, "send", "--api-key=x", "--file", "testdata/absent.json")
	if code != exitFailure {
		t.Errorf("exit %d, want 1", code)
	}
	if strings.Count(stderr, "absent.json") != 1 || strings.Contains(stderr, "Usage") || strings.Contains(stderr, "--help") {
		t.Errorf("stderr:\n%s", stderr)
	}
}

func TestHelpExits0(t *testing.T) {
	for _, args := range [][]string{{}, {"--help"}, {"deadletters"}, {"send", "--help"}} {
		if code, stdout, _ := run(t, args...); code != exitOK || !strings.Contains(stdout, "Usage:") {
			t.Errorf("%q: exit %d, stdout:\n%s", args, code, stdout)
		}
	}
}

func TestVersion(t *testing.T) {
	version.Linked = "v1.2.3"
	t.Cleanup(func() { version.Linked = "" })
	if code, stdout, _ := run(t, "version"); code != exitOK || !strings.HasPrefix(stdout, "connector v1.2.3 (go1.") {
		t.Errorf("exit %d: %s", code, stdout)
	}
}

func TestLogger(t *testing.T) {
	tests := []struct {
		format string
		level  slog.Level
		want   string
	}{
		{"auto", slog.LevelInfo, `"msg":"said"`}, // no terminal
		{"json", slog.LevelInfo, `"msg":"said"`},
		{"text", slog.LevelInfo, "msg=said"},
		{"text", slog.LevelDebug, "msg=whispered"},
	}
	for _, tt := range tests {
		var b bytes.Buffer
		level := &slog.LevelVar{}
		log := newLogger(&b, tt.format, level)
		level.Set(tt.level) // as a configuration does, later
		log.Info("said")
		log.V(4).Info("whispered")
		if !strings.Contains(b.String(), tt.want) {
			t.Errorf("%+v: %s", tt, b.String())
		}
		if whispered := strings.Contains(b.String(), "whispered"); whispered != (tt.level == slog.LevelDebug) {
			t.Errorf("%+v: %s", tt, b.String())
		}
	}
}
