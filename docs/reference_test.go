// Package docs holds what users read. Its tests compare pages with the code.
package docs

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/connectortest"
	"xbot.a4b.vn/channel-connector/controllers/render"
)

const page = "reference.md"

// source is the code whose names users meet.
var source = []string{"../api", "../cmd", "../connector", "../controllers"}

// TestReferenceNamesWhatTheCodeNames compares the code spans of the page with the strings of the code, each way.
func TestReferenceNamesWhatTheCodeNames(t *testing.T) {
	written, named := spans(t), names(t)
	for name, pattern := range map[string]*regexp.Regexp{
		"labels and annotations": regexp.MustCompile(`^(xbot\.a4b\.vn|app\.kubernetes\.io)/[a-z]+(-[a-z]+)*$`),
		"files of the Secret":    regexp.MustCompile(`^(v1alpha1\.yaml|report-token|(inbox|sink|workload)-[a-z]+(-[a-z]+)*(\.[a-z]+)?)$`),
		"paths":                  regexp.MustCompile(`^/(healthz|readyz|metrics|report|v1/.+)$`),
		"environment variables":  regexp.MustCompile(`^([A-Z]+(_[A-Z]+)+|GO[A-Z]{2,}|KUBECONFIG)$`),
	} {
		t.Run(name, func(t *testing.T) {
			inCode, inPage := matching(pattern, named), matching(pattern, written)
			if len(inCode) == 0 {
				t.Fatal("none was found in the code")
			}
			for literal := range inCode {
				if !inPage[literal] {
					t.Errorf("%s lacks %s", page, literal)
				}
			}
			for span := range inPage {
				if !inCode[span] && !ofLibraries[span] {
					t.Errorf("%s has %s, which the code does not know", page, span)
				}
			}
		})
	}
}

// ofLibraries are names that the code of others looks at.
var ofLibraries = map[string]bool{"KUBECONFIG": true, "HTTPS_PROXY": true, "NO_PROXY": true}

// ofUsers are annotations that the golden files' resources declare themselves.
var ofUsers = map[string]bool{"cert-manager.io/cluster-issuer": true}

// TestReferenceNamesWhatChildrenHave looks at the golden files of the children, which also hold what others' tools go
// by.
func TestReferenceNamesWhatChildrenHave(t *testing.T) {
	text, count := read(t, page), 0
	for _, path := range files(t, ".yaml", "../controllers/children/testdata") {
		var child struct {
			Kind     string
			Metadata struct{ Labels, Annotations map[string]string }
			Spec     struct {
				Ports []struct{ Port int }
			}
		}
		if err := yaml.Unmarshal([]byte(read(t, path)), &child); err != nil {
			t.Fatal(err)
		}
		count++
		if !strings.Contains(objectsOf(text), child.Kind) {
			t.Errorf("%s lacks %s among the objects", page, child.Kind)
		}
		for _, marks := range []map[string]string{child.Metadata.Labels, child.Metadata.Annotations} {
			for name := range marks {
				if !ofUsers[name] && !strings.Contains(text, "| `"+name+"` | ") {
					t.Errorf("%s lacks %s of %s", page, name, path)
				}
			}
		}
		for _, port := range child.Spec.Ports {
			wantPort(t, text, strconv.Itoa(port.Port))
		}
	}
	if count < 10 {
		t.Errorf("only %d children were found", count)
	}
	for _, exposed := range regexp.MustCompile(`(?m)^EXPOSE (.*)$`).FindAllStringSubmatch(read(t, "../Dockerfile"), -1) {
		for port := range strings.FieldsSeq(exposed[1]) {
			wantPort(t, text, port)
		}
	}
}

// objectsOf is the table of objects and their owners.
func objectsOf(text string) string {
	_, table, _ := strings.Cut(text, "| object | owner |")
	table, _, _ = strings.Cut(table, "\n\n")
	return table
}

// TestServiceOfYourOwnTargetsTheWebhook compares the Service that a page offers for TLS to the pod with the pod.
func TestServiceOfYourOwnTargetsTheWebhook(t *testing.T) {
	target := regexp.MustCompile(`targetPort: (\w+)`).FindStringSubmatch(read(t, "exposure.md"))
	template := children.PodTemplate(children.Input{Connector: connectortest.New(t, `workload: {tls: {secretName: shop-tls}}`)})
	if webhook := *template.Spec.Containers[0].Ports[0].Name; target == nil || target[1] != webhook {
		t.Errorf("exposure.md targets %q, want the port %s", target, webhook)
	}
}

func wantPort(t *testing.T, text, port string) {
	t.Helper()
	if !strings.Contains(text, "\n| "+port+" | ") {
		t.Errorf("%s lacks the port %s", page, port)
	}
}

// spans are the code spans of the page.
func spans(t *testing.T) map[string]bool {
	found := map[string]bool{}
	for _, span := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(read(t, page), -1) {
		found[span[1]] = true
	}
	return found
}

// names are the string literals of the code, of a route without its method; the labels and annotations; the variables that
// stand for the operator's flags; and the files of the Secret of a resource with every field.
func names(t *testing.T) map[string]bool {
	t.Helper()
	found := marks(t)
	full := connectortest.Full(t)
	full.Spec.Sink.HTTP.URLSecretKeyRef = &v1alpha1.SecretKeyRef{} // in place of the URL
	for _, r := range render.References(full, v1alpha1.SecretKeyRef{}) {
		found[r.File] = true
	}
	for _, path := range files(t, ".go", source...) {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				text, _ := strconv.Unquote(n.Value) // of a number nothing
				found[strings.TrimPrefix(strings.TrimPrefix(text, "GET "), "POST ")] = true
			case *ast.CallExpr:
				if name := flagName(n); name != "" && strings.Contains(filepath.ToSlash(path), "cmd/operator/") {
					found["XBOT_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))] = true
				}
			}
			return true
		})
	}
	return found
}

// marks are the constants of the one file with all labels and annotations.
func marks(t *testing.T) map[string]bool {
	t.Helper()
	found, files := map[string]bool{}, token.NewFileSet()
	file, err := parser.ParseFile(files, "../controllers/marks/marks.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	checked, err := (&types.Config{}).Check("marks", files, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range checked.Scope().Names() {
		if c, ok := checked.Scope().Lookup(name).(*types.Const); ok {
			found[constant.StringVal(c.Val())] = true
		}
	}
	return found
}

// flagName is the name of the flag that a call defines, such as flags.StringVar(&x, "name", …); empty for other calls.
func flagName(call *ast.CallExpr) string {
	function, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) < 3 || !strings.HasSuffix(strings.TrimSuffix(function.Sel.Name, "P"), "Var") {
		return ""
	}
	literal, ok := call.Args[1].(*ast.BasicLit)
	if !ok {
		return ""
	}
	name, _ := strconv.Unquote(literal.Value) // the parser took it
	return name
}

func matching(pattern *regexp.Regexp, all map[string]bool) map[string]bool {
	found := map[string]bool{}
	for text := range all {
		if pattern.MatchString(text) {
			found[text] = true
		}
	}
	return found
}

// files are those below folders with a suffix, without tests.
func files(t *testing.T, suffix string, folders ...string) (found []string) {
	t.Helper()
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() && strings.HasSuffix(path, suffix) && !strings.HasSuffix(path, "_test.go") {
				found = append(found, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
