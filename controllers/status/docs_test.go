package status_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestEveryReasonIsDocumented: the pages say of every reason what it means and what to do.
func TestEveryReasonIsDocumented(t *testing.T) {
	docs, err := os.ReadFile("../../docs/operator.md")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, folder := range []string{".", "../credentials", "../traffic"} {
		for name, value := range reasons(t, folder) {
			count++
			if !strings.Contains(string(docs), "`"+value+"`") {
				t.Errorf("docs/operator.md does not explain %s, %q", name, value)
			}
		}
	}
	if count < 30 {
		t.Errorf("found %d reasons only", count)
	}
}

// reasons returns the constants of a package whose names begin with Reason.
func reasons(t *testing.T, folder string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
				return true
			}
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
				found[spec.Names[0].Name], _ = strconv.Unquote(literal.Value)
			}
			return true
		})
	}
	return found
}
