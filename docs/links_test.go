package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	fenced  = regexp.MustCompile("(?s)```.*?```")
)

// TestLinksLeadSomewhere follows every link within the repository, to the heading if it names one.
func TestLinksLeadSomewhere(t *testing.T) {
	pages := files(t, ".md", ".")
	for _, name := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"} {
		pages = append(pages, filepath.Join("..", name))
	}
	followed := 0
	for _, from := range pages {
		for _, found := range link.FindAllStringSubmatch(prose(t, from), -1) {
			path, anchor, _ := strings.Cut(found[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			to := from
			if path != "" {
				to = filepath.Join(filepath.Dir(from), path)
			}
			followed++
			if _, err := os.Stat(to); err != nil || anchor != "" && !anchors(t, to)[anchor] {
				t.Errorf("%s: the link %s leads nowhere", from, found[1])
			}
		}
	}
	if followed < 100 {
		t.Errorf("only %d links were followed", followed)
	}
}

// prose is a page without its blocks of code.
func prose(t *testing.T, page string) string { return fenced.ReplaceAllString(read(t, page), "") }

// anchors are the headings of a page as GitHub links to them.
func anchors(t *testing.T, page string) map[string]bool {
	found := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(prose(t, page), -1) {
		kept := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(h[1]), "")
		found[strings.ReplaceAll(kept, " ", "-")] = true
	}
	return found
}
