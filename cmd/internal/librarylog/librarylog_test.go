package librarylog

import (
	"fmt"
	"log" //nolint:depguard // the tests are the libraries
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
)

// redirected returns the log of the test.
func redirected(t *testing.T) *strings.Builder {
	t.Helper()
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	logged := &strings.Builder{}
	Redirect(funcr.New(func(_, args string) { fmt.Fprintln(logged, args) }, funcr.Options{}))
	return logged
}

func TestTextsOfLibrariesAreLeftOut(t *testing.T) {
	for name, library := range map[string]func(){
		"log":               func() { log.Printf("starting with %q", "hidden") },
		"log, another":      func() { log.Default().Println("hidden") },
		"slog":              func() { slog.Warn("hidden", "a", "hidden") },
		"slog with a group": func() { slog.Default().With("hidden", 1).WithGroup("hidden").Error("hidden") },
		"several lines":     func() { log.Print("hidden\nhidden\n") },
	} {
		t.Run(name, func(t *testing.T) {
			logged := redirected(t)
			library()
			text := logged.String()
			if strings.Count(text, "\n") != 1 || strings.Contains(text, "hidden") || !strings.Contains(text, "librarylog.TestTexts") {
				t.Errorf("logged %q, want one line that names the function", text)
			}
		})
	}
}

func TestAPlaceIsNamedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logged := redirected(t)
		for range 100 {
			log.Print("hidden")
		}
		func() { log.Print("another place") }()
		if text := logged.String(); strings.Count(text, "\n") != 2 || strings.Count(text, `"lines"=1 `) != 2 {
			t.Errorf("logged %q", text)
		}
		logged.Reset()
		<-time.After(interval)
		for range 2 {
			log.Print("hidden") // the same place each time
		}
		if text := logged.String(); strings.Count(text, "\n") != 1 {
			t.Errorf("logged %q", text)
		}
	})
}

func TestWhatEndsTheProcessIsAlwaysNamed(t *testing.T) {
	logged := redirected(t)
	for range 3 {
		func() {
			defer func() { _ = recover() }()
			log.Panicf("hidden")
		}()
	}
	if text := logged.String(); strings.Count(text, `"endsTheProcess"=true`) != 3 || strings.Contains(text, "hidden") {
		t.Errorf("logged %q", text)
	}
}
