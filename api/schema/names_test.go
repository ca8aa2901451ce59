package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
)

func key(name string) []string { return validation.IsQualifiedName(name) }

// names are what Kubernetes' own checks of names tell apart, at the bounds of their lengths.
func names() []string {
	long := func(n int) string { return strings.Repeat("a", n) }
	all := []string{"", "a", "A", "0", "é", "K", "ſ", "a\n", "\na", "a b", "a_b", "a.b", "a..b", "a.b.",
		".a", "a.-b", "a-.b", "-a", "a-", "a--b"}
	all = append(all, long(62)+"a", long(63)+"a", long(62)+".a", long(252)+"a", long(253)+"a",
		long(126)+"."+long(126), long(126)+"."+long(127))
	for _, prefix := range []string{"", "a", "A", "a.b", "a..b", "a_b", "-a", "a.", "é", long(253), long(254), long(126) + "." + long(126)} {
		for _, name := range []string{"", "a", "A", "a.b-c_D", "_a", "a_", "a/b", "a\n", long(63), long(64), long(61) + ".B"} {
			all = append(all, prefix+"/"+name)
		}
	}
	return all
}

// TestNames compares the rules for names with Kubernetes' own checks: a name that only one of the two takes is either
// refused for nothing, or an object that the operator can never write.
func TestNames(t *testing.T) {
	for field, rule := range map[string]struct {
		patch string
		check func(string) []string
	}{
		"Secret":             {`sink: {http: {signingSecretKeyRef: {name: %s, key: k}}}`, subdomain},
		"pull secret":        {`workload: {imagePullSecrets: [{name: %s}]}`, subdomain},
		"ServiceAccount":     {`workload: {serviceAccountName: %s}`, subdomain},
		"PriorityClass":      {`workload: {priorityClassName: %s}`, subdomain},
		"StorageClass":       {`inbox: {embedded: {storageClassName: %s}}`, orNone(subdomain)},
		"node label":         {`workload: {nodeSelector: {%s: ""}}`, key},
		"node label's value": {`workload: {nodeSelector: {a: %s}}`, validation.IsValidLabelValue},
		"pod label":          {`workload: {podLabels: {%s: ""}}`, key},
		"annotation":         {`workload: {podAnnotations: {%s: ""}}`, func(k string) []string { return key(strings.ToLower(k)) }},
	} {
		for _, name := range names() {
			quoted, err := json.Marshal(name)
			if err != nil {
				t.Fatal(err)
			}
			want := rule.check(name)
			if got := decode(t, fmt.Sprintf(rule.patch, quoted)); (got == nil) != (len(want) == 0) {
				t.Errorf("%s %.70q: got %v; Kubernetes says %q", field, name, got, want)
			}
		}
	}
}

func subdomain(name string) []string { return apivalidation.NameIsDNSSubdomain(name, false) }

func orNone(check func(string) []string) func(string) []string {
	return func(name string) []string {
		if name == "" {
			return nil
		}
		return check(name)
	}
}
