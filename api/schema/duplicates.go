package schema

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// duplicates returns an error for each field that the manifest gives twice in the same place. The converter to JSON,
// which refuses them, knows lines but no paths.
func duplicates(manifest []byte) []error {
	var document yaml.Node
	if yaml.Unmarshal(manifest, &document) != nil {
		return nil
	}
	return duplicatesIn(&document, "")
}

func duplicatesIn(node *yaml.Node, path string) []error {
	var errs []error
	if node.Kind != yaml.MappingNode {
		for i, element := range node.Content {
			at := path
			if node.Kind == yaml.SequenceNode {
				at = fmt.Sprintf("%s[%d]", path, i)
			}
			errs = append(errs, duplicatesIn(element, at)...)
		}
		return errs
	}
	seen := make(map[string]bool, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		at := join(path, key.Value)
		if seen[key.Value] {
			errs = append(errs, fmt.Errorf("line %d: duplicate field %q", key.Line, at))
		}
		seen[key.Value] = true
		errs = append(errs, duplicatesIn(node.Content[i+1], at)...)
	}
	return errs
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
