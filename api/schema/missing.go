package schema

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Missing compares the schema that an API server publishes as OpenAPI 3 with the one built into this program, and lists
// the fields and defaults that the server's lacks. Further fields of the server's do not matter: it may be newer.
func Missing(document map[string]any) ([]string, error) {
	own, err := definition()
	if err != nil {
		return nil, err
	}
	served, err := published(document)
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, part := range []string{"spec", "status"} {
		missing = append(missing, lacks(served[part], own.Properties[part], part)...)
	}
	return missing, nil
}

// published finds the fields of a ChannelConnector in a document of OpenAPI.
func published(document map[string]any) (map[string]apiextensionsv1.JSONSchemaProps, error) {
	content, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	var all struct {
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(content, &all); err != nil {
		return nil, err
	}
	for name, schema := range all.Components.Schemas {
		if strings.HasSuffix(name, "."+kind) {
			var found apiextensionsv1.JSONSchemaProps
			err := json.Unmarshal(schema, &found)
			return found.Properties, err
		}
	}
	return nil, errors.New("the API server publishes no schema of a " + kind)
}

// lacks lists what served lacks of own, which are the schemas of a field.
func lacks(served, own apiextensionsv1.JSONSchemaProps, path string) (missing []string) {
	if own.Default != nil && served.Default == nil {
		missing = append(missing, "the default of "+path)
	}
	for name, field := range own.Properties {
		if other, ok := served.Properties[name]; ok {
			missing = append(missing, lacks(other, field, path+"."+name)...)
		} else {
			missing = append(missing, path+"."+name)
		}
	}
	if own.Items != nil && served.Items != nil && own.Items.Schema != nil && served.Items.Schema != nil {
		missing = append(missing, lacks(*served.Items.Schema, *own.Items.Schema, path+"[]")...)
	}
	slices.Sort(missing)
	return missing
}
