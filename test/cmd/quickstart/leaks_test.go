package quickstart

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// leaks are commands that no document may recommend, by the secret that each gives away.
var leaks = map[string]*regexp.Regexp{
	"a value on the command line is in the shell's history and in the list of processes": regexp.MustCompile(`--from-literal=`),
	"client-side apply keeps a copy of every value of a Secret in an annotation": regexp.MustCompile(
		`\| *kubectl apply( -[^-]| *$)`),
	"the shell makes the file as the umask says, and others read the messages: use --output": regexp.MustCompile(
		`inbox export[^|]*[^-]>`),
	"an API key in a URL on the command line is in the list of processes: use --api-key-file": regexp.MustCompile(
		`connector send .*param\.header\.xp-api-key=[0-9a-f$]`),
	"a secret key on the command line is in the list of processes: use --secret-file or a Secret": regexp.MustCompile(
		`connector send .*--secret[= ][^f]`),
}

// TestDocumentedCommandsDoNotLeak reads the documents from which people copy.
func TestDocumentedCommandsDoNotLeak(t *testing.T) {
	read := 0
	for _, place := range []string{"README.md", "docs", "config/samples", "charts", "cmd", "test/cmd/quickstart"} {
		err := filepath.WalkDir(filepath.Join("..", "..", "..", place), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			read++
			for line := range strings.Lines(strings.ReplaceAll(string(content), "\\\n", " ")) {
				for why, leak := range leaks {
					if leak.MatchString(strings.TrimRight(line, "\n")) {
						t.Errorf("%s: %s: %s", path, strings.TrimSpace(line), why)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if read < 50 {
		t.Errorf("only %d files were found", read)
	}
}
