package v1alpha1_test

import (
	"context"
	"errors"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/schema/schematest"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// messages returns what a refusal of the API server says, but for two things
// that it adds of its own: that the rules were not looked at because of an error
// that is listed too, and the scale subresource's opinion on replicas.
func messages(err error) []string {
	GinkgoHelper()
	Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
	var refusal apierrors.APIStatus
	Expect(errors.As(err, &refusal)).To(BeTrue())
	var texts []string
	for _, cause := range refusal.Status().Details.Causes {
		if cause.Field != "<nil>" && !strings.HasPrefix(cause.Field, ".") {
			texts = append(texts, cause.Field+": "+cause.Message)
		}
	}
	return texts
}

func resource(patches ...string) *unstructured.Unstructured {
	r := schematest.Resource(patches...)
	r.SetNamespace(namespace)
	return r
}

var _ = Describe("A resource at its creation", func() {
	for _, rule := range schematest.Rules {
		It("may not have "+rule.Name, func(ctx context.Context) {
			Expect(k8s.Create(ctx, resource(rule.Accepted), client.DryRunAll)).To(Succeed())
			err := k8s.Create(ctx, resource(rule.Refused), client.DryRunAll)
			Expect(messages(err)).To(ConsistOf(rule.Messages))
		})
	}

	// The lists of a type's member go with that type, and all others with each.
	for _, kind := range []v1alpha1.ChannelType{
		v1alpha1.ChannelZaloOA, v1alpha1.ChannelAzureBot, v1alpha1.ChannelFacebookMessenger, v1alpha1.ChannelZaloBot,
	} {
		It("may be at the bound of every list at once, of type "+string(kind), func(ctx context.Context) {
			var patches, own []string
			for _, rule := range schematest.Rules {
				var declared v1alpha1.ChannelConnectorSpec
				Expect(yaml.Unmarshal([]byte("{"+rule.Accepted+"}"), &declared)).To(Succeed())
				switch {
				case !strings.Contains(rule.Name, "many "):
				case declared.Type == "":
					patches = append(patches, rule.Accepted)
				case declared.Type == kind:
					own = append(own, rule.Accepted)
				}
			}
			Expect(len(patches)).To(BeNumerically(">", 10))
			if kind != v1alpha1.ChannelZaloOA { // whose rules name no type
				Expect(own).NotTo(BeEmpty())
			}
			Expect(k8s.Create(ctx, resource(append(patches, own...)...), client.DryRunAll)).To(Succeed())
		})
	}
})

var _ = Describe("A resource, once created", func() {
	for _, change := range schematest.Changes {
		It("may not change "+change.Name, func(ctx context.Context) {
			before := resource(change.Before)
			Expect(k8s.Create(ctx, before)).To(Succeed())
			update := func(patch string) error {
				after := resource(patch)
				after.SetResourceVersion(before.GetResourceVersion())
				return k8s.Update(ctx, after, client.DryRunAll)
			}
			Expect(update(change.Accepted)).To(Succeed())
			Expect(messages(update(change.Refused))).To(ConsistOf(change.Messages))
		})
	}
})
