package render

import (
	"testing"

	yaml "go.yaml.in/yaml/v3"

	"xbot.a4b.vn/channel-connector/controllers/connectortest"
)

// FuzzText: a text is written as the encoder writes it.
func FuzzText(f *testing.F) {
	for _, s := range []string{
		"", "a", "shop", "/webhook/push", "y", "Yes", "ON", "off", "nO", "true", "False", "null", "Null", "nULL", "~", "1", "1h0m0s", "0x1",
		"1:30", "a:b", "a b", "a#b", "-", "a-", "http://bot.example/events", "x\n", "é", "oa_send_*", "nan", ".nan", "inf", "Inf", "e5", "<<",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, pair := range [][2]any{{text(s), node(s)}, {list(text(s)), list(node(s))}, {key(text(s)), key(node(s))}} {
			got, err := yaml.Marshal(pair[0])
			want, wantErr := yaml.Marshal(pair[1])
			if string(got) != string(want) || (err == nil) != (wantErr == nil) {
				t.Errorf("%q: got %q (%v), want %q (%v)", s, got, err, want, wantErr)
			}
		}
	})
}

func list(n *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}}
}

func key(n *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{n, node(1)}}
}

func BenchmarkReferences(b *testing.B) {
	c := connectortest.New(b)
	for b.Loop() {
		References(c, c.Spec.ZaloOA.Signature.SecretKeyRefs[0])
	}
}
