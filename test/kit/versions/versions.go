// Package versions judges manifests as the API servers of every supported version of Kubernetes do, without one.
package versions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/util/compatibility"
	basecompatibility "k8s.io/component-base/compatibility"
	"sigs.k8s.io/yaml"
)

// Chart is the chart's folder. Its kubeVersion is the one home of the oldest supported version.
var Chart = func() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "../../../charts/channel-connector")
}()

// Oldest returns the oldest supported version, such as 1.31.
func Oldest() *version.Version {
	content, err := os.ReadFile(filepath.Join(Chart, "Chart.yaml"))
	if err != nil {
		panic(err)
	}
	found := regexp.MustCompile(`(?m)^kubeVersion: ">=(1\.\d+)\.0-0"$`).FindSubmatch(content)
	if found == nil {
		panic("Chart.yaml has no kubeVersion of the form >=1.N.0-0")
	}
	return version.MustParse(string(found[1]))
}

// Supported returns the oldest supported version and all after it, up to the one whose code is compiled in.
func Supported() []*version.Version {
	var all []*version.Version
	newest := compatibility.DefaultBuildEffectiveVersion().BinaryVersion()
	for v := Oldest(); v.LessThan(newest) || v.EqualTo(newest); v = v.OffsetMinor(1) {
		all = append(all, v)
	}
	return all
}

// Refusal returns why an API server of a version does not take the CEL of a manifest with one object, or nil. A server
// compiles new rules with the libraries of the version before its own, so that a rollback finds none that it cannot
// compile. It changes what the whole process takes for its version: a test with it must not run beside others.
func Refusal(ctx context.Context, server *version.Version, manifest []byte) error {
	var of metav1.TypeMeta
	if err := yaml.Unmarshal(manifest, &of); err != nil {
		return err
	}
	before := server.SubtractMinor(1)
	switch of.Kind {
	case "CustomResourceDefinition":
		return definition(ctx, before, manifest)
	case "ValidatingAdmissionPolicy":
		return policy(before, manifest)
	default:
		return nil
	}
}

// definition runs what an API server checks at the installation: the rules compile, hold for the defaults, and are not
// too expensive.
func definition(ctx context.Context, libraries *version.Version, manifest []byte) error {
	d, internal := &apiextensionsv1.CustomResourceDefinition{}, &apiextensions.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(manifest, d); err != nil {
		return err
	}
	apiextensionsv1.SetObjectDefaults_CustomResourceDefinition(d)
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(d, internal, nil); err != nil {
		return err
	}
	for _, v := range d.Spec.Versions {
		if v.Storage {
			internal.Status.StoredVersions = []string{v.Name}
		}
	}
	process := compatibility.DefaultComponentGlobalsRegistry.EffectiveVersionFor(basecompatibility.DefaultKubeComponent)
	effective, ok := process.(basecompatibility.MutableEffectiveVersion)
	if !ok {
		return fmt.Errorf("the process's version, a %T, cannot be changed", process)
	}
	defer effective.SetMinCompatibilityVersion(effective.MinCompatibilityVersion())
	effective.SetMinCompatibilityVersion(libraries)
	return validation.ValidateCustomResourceDefinition(ctx, internal).ToAggregate()
}

// policy compiles every expression of a ValidatingAdmissionPolicy.
func policy(libraries *version.Version, manifest []byte) error {
	p := &admissionregistrationv1.ValidatingAdmissionPolicy{}
	if err := yaml.UnmarshalStrict(manifest, p); err != nil {
		return err
	}
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(libraries))
	if err != nil {
		return err
	}
	var errs []error
	note := func(at string, result cel.CompilationResult) {
		if result.Error != nil {
			errs = append(errs, fmt.Errorf("%s: %w", at, result.Error))
		}
	}
	has := cel.OptionalVariableDeclarations{HasParams: p.Spec.ParamKind != nil, HasAuthorizer: true}
	check := func(at string, expression cel.ExpressionAccessor, has cel.OptionalVariableDeclarations) {
		note(at, compiler.CompileCELExpression(expression, has, environment.NewExpressions))
	}
	for i, c := range p.Spec.MatchConditions {
		accessor := (*matchconditions.MatchCondition)(&p.Spec.MatchConditions[i])
		check("spec.matchConditions."+c.Name, accessor, has)
	}
	for _, v := range p.Spec.Variables {
		variable := &validating.Variable{Name: v.Name, Expression: v.Expression}
		note("spec.variables."+v.Name, compiler.CompileAndStoreVariable(variable, has, environment.NewExpressions))
	}
	for i, v := range p.Spec.Validations {
		at := fmt.Sprintf("spec.validations[%d]", i)
		check(at, &validating.ValidationCondition{Expression: v.Expression}, has)
		if v.MessageExpression != "" {
			withoutAuthorizer := cel.OptionalVariableDeclarations{HasParams: has.HasParams}
			check(at+".messageExpression", &validating.MessageExpressionCondition{MessageExpression: v.MessageExpression}, withoutAuthorizer)
		}
	}
	for i, a := range p.Spec.AuditAnnotations {
		check(fmt.Sprintf("spec.auditAnnotations[%d]", i), &validating.AuditAnnotationCondition{ValueExpression: a.ValueExpression}, has)
	}
	return errors.Join(errs...)
}
