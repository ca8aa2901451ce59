package controllers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// refusal is what a policy of refuse says.
const refusal = "not in this town"

// refuse lets the API server refuse to write objects of a kind and namespace unless a CEL expression holds, as a
// foreign policy would. It waits until one of them is refused; deleting what it returns ends it.
func refuse(ctx context.Context, probe client.Object, resource, unless string) *admissionv1.ValidatingAdmissionPolicyBinding {
	GinkgoHelper()
	name := probe.GetNamespace() + "-" + resource
	rule := admissionv1.NamedRuleWithOperations{RuleWithOperations: admissionv1.RuleWithOperations{
		Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
		Rule:       admissionv1.Rule{APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: []string{resource}},
	}}
	policy := &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": probe.GetNamespace()}},
				ResourceRules:     []admissionv1.NamedRuleWithOperations{rule},
			},
			Validations: []admissionv1.Validation{{Expression: unless, Message: refusal}},
		},
	}
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
		},
	}
	Expect(k8s.Create(ctx, policy)).To(Succeed())
	Expect(k8s.Create(ctx, binding)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(k8s.Delete(ctx, policy)).To(Succeed())
		_ = k8s.Delete(ctx, binding)
	})
	Eventually(func() error {
		tried, _ := probe.DeepCopyObject().(client.Object)
		if tried.GetResourceVersion() == "" {
			return k8s.Create(ctx, tried, client.DryRunAll)
		}
		tried.SetResourceVersion("")
		return k8s.Update(ctx, tried, client.DryRunAll)
	}).Should(MatchError(ContainSubstring(refusal)))
	return binding
}
