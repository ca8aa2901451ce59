package types_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/connector/webhook"
)

const (
	root      = "../.."
	module    = "xbot.a4b.vn/channel-connector/"
	ofChannel = module + "connector/channel/"
)

// TestNobodyElseNamesAType: one more type of channel is its own folder and one line in this package, so nothing else of
// the product may import one.
func TestNobodyElseNamesAType(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		folder, _ := filepath.Rel(root, path)
		if entry.IsDir() && (folder == "test" || strings.HasPrefix(entry.Name(), ".") && folder != "." ||
			entry.Name() == "testdata" || isModule(path)) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		importer := module + filepath.ToSlash(filepath.Dir(folder))
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			switch {
			case !strings.HasPrefix(imported, ofChannel), imported == ofChannel+"scan": // no type: every type may read with it
			case importer == module+"connector/types":
				seen[imported] = true
			case !within(importer, imported) && (!strings.HasPrefix(importer, ofChannel) || !within(imported, importer)):
				t.Errorf("%s imports %s: leave that to package types", folder, imported)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != len(types.Channels) {
		t.Errorf("%d packages are imported for %d types: %v", len(seen), len(types.Channels), seen)
	}
}

// within reports whether a package is another one, or below it.
func within(one, other string) bool { return strings.HasPrefix(one+"/", other+"/") }

// isModule reports whether a folder is a module of its own inside the repository.
func isModule(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil && folder != root
}

func TestTypesAreWhole(t *testing.T) {
	names := map[string]bool{}
	for _, of := range types.Channels {
		if of.Name == "" || of.Platform == "" || of.DefaultPath == "" || of.New == nil || names[of.Name] ||
			of.AnswerIn <= 0 || of.AnswerIn > channel.MaxAnswerIn || of.Words.SecretName == "" || of.Words.Field == "" ||
			of.Words.NeverVerified == "" || of.Words.NoLonger == "" {
			t.Errorf("%+v: a name of its own, a platform, a path, a time to answer, words for secrets and a section are required", of)
		}
		if of.Sample != nil && of.Sample.ContentType == "" {
			t.Errorf("%s: a sample has a media type", of.Name)
		}
		if of.IsPublic(webhook.HealthPath) || of.PublicPrefix == "/" {
			t.Errorf("%s: pages that begin with %q may hide others", of.Name, of.PublicPrefix)
		}
		names[of.Name] = true
		if types.Channel(of.Name).Name != of.Name {
			t.Errorf("%s is not found by its name", of.Name)
		}
	}
	if types.Channel("Telegram").Name != "" {
		t.Error("a type that does not exist is found")
	}
}
