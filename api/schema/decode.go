package schema

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// kind is the one that Decode takes.
const kind = "ChannelConnector"

// Decode reads one ChannelConnector, in YAML or JSON, as the API server takes it at its creation with strict field
// validation: unknown and duplicate fields are refused, defaults are filled in, and every rule is checked. The status
// is dropped. A missing namespace stays missing: the client that applies the resource chooses one.
//
// The error says everything that is wrong, each with the path of its field. When the fields can be read but break
// rules, it is an aggregate of *field.Error.
func Decode(ctx context.Context, manifest []byte) (*v1alpha1.ChannelConnector, error) {
	s, err := compiled()
	if err != nil {
		return nil, fmt.Errorf("compile the schema: %w", err)
	}
	object, err := parse(manifest)
	if err != nil {
		return nil, err
	}
	if errs := checkKind(object); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	meta, err := s.refuseUnknown(object)
	if err != nil {
		return nil, err
	}
	s.setDefaults(object)
	delete(object, "status")
	if errs := append(checkMeta(meta), s.validate(ctx, object, nil)...); len(errs) > 0 {
		slices.SortStableFunc(errs, func(a, b *field.Error) int { return strings.Compare(a.Field, b.Field) })
		return nil, errs.ToAggregate()
	}
	connector := &v1alpha1.ChannelConnector{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, connector); err != nil {
		return nil, err
	}
	return connector, nil
}

// parse reads YAML, of which JSON is a part.
func parse(manifest []byte) (map[string]any, error) {
	content, err := yaml.YAMLToJSONStrict(manifest)
	if err != nil {
		if twice := duplicates(manifest); len(twice) > 0 {
			err = runtime.NewStrictDecodingError(twice)
		}
		return nil, err
	}
	var document any
	if err := json.Unmarshal(content, &document); err != nil {
		return nil, err
	}
	object, ok := document.(map[string]any)
	if !ok {
		return nil, errors.New("no object: write apiVersion, kind, metadata and spec")
	}
	return object, nil
}

// checkKind refuses what is no ChannelConnector; what else is wrong with it does not matter then.
func checkKind(object map[string]any) field.ErrorList {
	var errs field.ErrorList
	for _, want := range []struct{ name, value string }{{"apiVersion", v1alpha1.GroupVersion.String()}, {"kind", kind}} {
		if got := object[want.name]; got != want.value {
			errs = append(errs, field.Invalid(field.NewPath(want.name), got, "must be "+want.value))
		}
	}
	return errs
}

// refuseUnknown returns the object's metadata, and an error with the paths of all fields that the schema does not have.
func (s *schema) refuseUnknown(object map[string]any) (*metav1.ObjectMeta, error) {
	meta, present, unknown, err := objectmeta.GetObjectMetaWithOptions(object, objectmeta.ObjectMetaOptions{
		ReturnUnknownFieldPaths: true,
	})
	if err != nil {
		return nil, err
	}
	if !present {
		meta = &metav1.ObjectMeta{}
	}
	track := structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
	unknown = append(unknown, pruning.PruneWithOptions(object, s.structural, true, track)...)
	var errs []error
	for _, path := range unknown {
		errs = append(errs, fmt.Errorf("unknown field %q", path))
	}
	if len(errs) > 0 {
		return nil, runtime.NewStrictDecodingError(errs)
	}
	return meta, nil
}

func checkMeta(meta *metav1.ObjectMeta) field.ErrorList {
	namespaced := meta.DeepCopy()
	if namespaced.Namespace == "" {
		namespaced.Namespace = metav1.NamespaceDefault
	}
	return validation.ValidateObjectMeta(namespaced, true, validation.NameIsDNSSubdomain, field.NewPath("metadata"))
}
