// Package connectortest declares ChannelConnectors for the tests of what the operator makes of them, as the API server
// hands them out: checked against the schema, and with their defaults.
package connectortest

import (
	_ "embed"
	"testing"

	"xbot.a4b.vn/channel-connector/api/schema"
	"xbot.a4b.vn/channel-connector/api/schema/schematest"
	"xbot.a4b.vn/channel-connector/api/v1alpha1"
)

// EphemeralStorage is the patch for New that makes the inbox Ephemeral.
const EphemeralStorage = `inbox: {embedded: {storage: Ephemeral}}`

//go:embed full.yaml
var full []byte

// New returns the smallest useful resource with patches of its spec: JSON merge patches in YAML.
func New(tb testing.TB, patches ...string) *v1alpha1.ChannelConnector {
	tb.Helper()
	manifest, err := schematest.Resource(patches...).MarshalJSON()
	if err != nil {
		tb.Fatal(err)
	}
	c := decode(tb, manifest)
	c.Namespace, c.UID, c.Generation = "chat", "5c1e4d3a-0b6f-4a57-9f27-6d6a4f1f3c11", 1
	return c
}

// Full returns a resource in which everything is set.
func Full(tb testing.TB) *v1alpha1.ChannelConnector {
	tb.Helper()
	return decode(tb, full)
}

func decode(tb testing.TB, manifest []byte) *v1alpha1.ChannelConnector {
	tb.Helper()
	c, err := schema.Decode(tb.Context(), manifest)
	if err != nil {
		tb.Fatalf("%v in\n%s", err, manifest)
	}
	return c
}
