package schema

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"

	"xbot.a4b.vn/channel-connector/api/schema/schematest"
)

// messages returns the texts of the field errors that err holds.
func messages(err error) []string {
	var all utilerrors.Aggregate
	if !errors.As(err, &all) {
		return nil
	}
	var texts []string
	for _, e := range all.Errors() {
		texts = append(texts, e.Error())
	}
	return texts
}

func decode(t *testing.T, patch string) error {
	t.Helper()
	manifest, err := schematest.Resource(patch).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	_, err = Decode(t.Context(), manifest)
	return err
}

func TestRules(t *testing.T) {
	for _, rule := range schematest.Rules {
		t.Run(rule.Name, func(t *testing.T) {
			if err := decode(t, rule.Accepted); err != nil {
				t.Errorf("%s\nis refused: %v", rule.Accepted, err)
			}
			got := messages(decode(t, rule.Refused))
			if diff := cmp.Diff(rule.Messages, got, cmpopts.SortSlices(lessText)); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", rule.Refused, diff)
			}
		})
	}
}

func lessText(a, b string) bool { return a < b }

// defaulted is the Smallest resource with a patch and its defaults.
func defaulted(s *schema, patch string) map[string]any {
	object := schematest.Resource(patch).Object
	s.setDefaults(object)
	return object
}

func TestChanges(t *testing.T) {
	s, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range schematest.Changes {
		t.Run(change.Name, func(t *testing.T) {
			before := defaulted(s, change.Before)
			if errs := s.validate(t.Context(), before, nil); len(errs) > 0 {
				t.Fatalf("%s\nis refused: %v", change.Before, errs)
			}
			if errs := s.validate(t.Context(), defaulted(s, change.Accepted), before); len(errs) > 0 {
				t.Errorf("%s\nis refused: %v", change.Accepted, errs)
			}
			got := messages(s.validate(t.Context(), defaulted(s, change.Refused), before).ToAggregate())
			if diff := cmp.Diff(change.Messages, got, cmpopts.SortSlices(lessText)); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", change.Refused, diff)
			}
		})
	}
}

// TestEveryRuleIsTested compares the rules in the definition with the lists.
func TestEveryRuleIsTested(t *testing.T) {
	s, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	var tested []string
	for _, rule := range schematest.Rules {
		tested = append(tested, rule.Messages...)
	}
	for _, change := range schematest.Changes {
		tested = append(tested, change.Messages...)
	}
	for _, message := range ruleMessages(s.structural) {
		if !slices.ContainsFunc(tested, func(text string) bool { return strings.HasSuffix(text, message) }) {
			t.Errorf("nothing is refused with the message %q", message)
		}
	}
}

// ruleMessages returns the message of each CEL rule in s and below.
func ruleMessages(s *structuralschema.Structural) []string {
	var found []string
	for _, rule := range s.XValidations {
		found = append(found, rule.Message)
	}
	for _, property := range s.Properties {
		found = append(found, ruleMessages(&property)...)
	}
	if s.Items != nil {
		found = append(found, ruleMessages(s.Items)...)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Structural != nil {
		found = append(found, ruleMessages(s.AdditionalProperties.Structural)...)
	}
	return found
}
