// Package schema applies the schema of the ChannelConnector without an API server: strict decoding, defaults and
// validation, the CEL rules included. It runs the API server's own code on the definition that is installed, so that
// what passes here passes there.
package schema

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/config/crd"
)

// schema is the definition in the forms that the API server's code works with.
type schema struct {
	structural *structuralschema.Structural
	openAPI    validation.SchemaValidator
	rules      *cel.Validator
}

// costLimit bounds the evaluation of all rules on one object, as on the server.
const costLimit = celconfig.RuntimeCELCostBudget

// compiled returns the schema, compiled at first use: the CEL rules take a noticeable fraction of a second.
var compiled = sync.OnceValues(compile)

// definition is the schema as it is installed.
func definition() (*apiextensionsv1.JSONSchemaProps, error) {
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.UnmarshalStrict(crd.ChannelConnectors, definition); err != nil {
		return nil, err
	}
	versions := definition.Spec.Versions
	i := slices.IndexFunc(versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool {
		return v.Name == v1alpha1.GroupVersion.Version
	})
	if i < 0 {
		return nil, fmt.Errorf("the CustomResourceDefinition has no version %s", v1alpha1.GroupVersion.Version)
	}
	return versions[i].Schema.OpenAPIV3Schema, nil
}

func compile() (*schema, error) {
	installed, err := definition()
	if err != nil {
		return nil, err
	}
	properties := &apiextensions.JSONSchemaProps{}
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(installed, properties, nil); err != nil {
		return nil, err
	}
	structural, err := structuralschema.NewStructural(properties)
	if err != nil {
		return nil, err
	}
	openAPI, _, err := validation.NewSchemaValidator(properties)
	if err != nil {
		return nil, err
	}
	return &schema{structural, openAPI, cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
}

// setDefaults fills in what object leaves out. A null counts as left out, as far as its field has a default.
func (s *schema) setDefaults(object map[string]any) {
	defaulting.PruneNonNullableNullsWithoutDefaults(object, s.structural)
	defaulting.Default(object, s.structural)
}

// validate checks object against the schema; when old is set, as a change of it. It takes objects with their defaults.
func (s *schema) validate(ctx context.Context, object, old map[string]any) field.ErrorList {
	errs := validation.ValidateCustomResource(nil, object, s.openAPI)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, s.structural, object)...)
	if slices.ContainsFunc(errs, blocksRules) {
		return errs
	}
	violations, _ := s.rules.Validate(ctx, nil, s.structural, object, old, costLimit)
	return append(errs, violations...)
}

// blocksRules says whether the rules cannot be evaluated because of err: they rely on types, enumerations, required
// fields and bounded lengths.
func blocksRules(err *field.Error) bool {
	switch err.Type {
	case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong,
		field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
		return true
	default:
		return false
	}
}
