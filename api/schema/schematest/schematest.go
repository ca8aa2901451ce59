// Package schematest lists the rules of the ChannelConnector's schema, each by a
// resource that it accepts and one that it refuses. One list serves both the
// tests of package schema and those against a real API server, so that the two
// cannot drift apart.
package schematest

import (
	"slices"
	"strconv"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Smallest is the smallest useful resource.
const Smallest = `
apiVersion: xbot.a4b.vn/v1alpha1
kind: ChannelConnector
metadata:
  name: shop
spec:
  type: ZaloOA
  zaloOA:
    appID: "2553928453557884079"
    signature:
      secretKeyRefs:
      - {name: shop-zalo, key: oa-secret-key}
  sink:
    http:
      url: http://bot.chat.svc/events
`

// Rule is a rule for a resource at its creation.
type Rule struct {
	// Name says what is refused.
	Name string
	// Accepted and Refused are patches of the Smallest resource's spec: JSON merge
	// patches in YAML, where null removes a field.
	Accepted, Refused string
	// Messages are the errors for Refused, in any order: the field's path, a
	// colon, and the text.
	Messages []string
}

// Change is a rule for changes: the resource is created with the patch Before.
type Change struct {
	Name                      string
	Before, Accepted, Refused string
	Messages                  []string
}

// Rules are the rules for a resource at its creation.
var Rules = slices.Concat(unionRules, zaloOARules, webhookRules, inboxRules, deliveryRules, sinkRules, headerRules,
	workloadRules, resourceRules)

// Resource returns the Smallest resource with patches of its spec, one after the
// other. It panics on a patch that is no YAML.
func Resource(patches ...string) *unstructured.Unstructured {
	patched := toJSON(Smallest)
	for _, patch := range patches {
		var err error
		if patched, err = jsonpatch.MergePatch(patched, toJSON("spec: {"+patch+"}")); err != nil {
			panic(err)
		}
	}
	resource := &unstructured.Unstructured{}
	if err := resource.UnmarshalJSON(patched); err != nil {
		panic(err)
	}
	return resource
}

func toJSON(document string) []byte {
	content, err := yaml.YAMLToJSON([]byte(document))
	if err != nil {
		panic(err)
	}
	return content
}

// list returns a list of n elements in YAML; %d in an element stands for its
// index.
func list(n int, element string) string {
	elements := make([]string, n)
	for i := range elements {
		elements[i] = strings.ReplaceAll(element, "%d", strconv.Itoa(i))
	}
	return "[" + strings.Join(elements, ", ") + "]"
}
