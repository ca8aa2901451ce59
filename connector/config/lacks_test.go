package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/test/kit/certificate"
)

// lacking are files whose credentials cannot be used while everything else can.
var lacking = []flaw{
	{"URL file missing", []string{sinkURL, "      urlFile: none\n"}, []string{
		":20: channels[0].sink.http.urlFile: the file cannot be read: " +
			"no such file or directory (a relative path begins at the folder of this file)"}},
	{"no URL in its file", []string{sinkURL, "      urlFile: garbage\n"}, []string{
		`:20: channels[0].sink.http.urlFile: is no URL of a sink: want an absolute URL such as "http://bot.chat.svc/events"`}},
	{"URL's file over http", []string{sinkURL, "      urlFile: url\n      tls: {}\n"}, []string{
		":20: channels[0].sink.http.urlFile: is no https URL, which channels[0].sink.http.tls needs: write an https URL, or leave tls out"}},
	{"TLS pair of two", []string{sinkURL, "      url: https://bot\n      tls: {certFile: tls.crt, keyFile: other.key}\n"}, []string{
		":21: channels[0].sink.http.tls.keyFile: DIR/other.key is not the private key, in PEM, of the certificate in DIR/tls.crt: " +
			"put a matching pair there"}},
	{"TLS files too large",
		[]string{sinkURL, "      url: https://bot\n      tls: {caFile: huge, certFile: big, keyFile: tls.key}\n"}, []string{
			":21: channels[0].sink.http.tls.caFile: DIR/huge is larger than 512 KiB: put the credential alone into it",
			":21: channels[0].sink.http.tls.certFile: DIR/big is larger than 64 KiB: put the credential alone into it"}},
	{"keys that are no word", []string{oaKey, "      - file: words\n", apiKey, "      file: invisible\n"}, []string{
		":13: channels[0].zaloOA.signature.secretKeys[0].file: holds white space or invisible characters, or is no text: " +
			"put the key alone into it, on one line",
		":17: channels[0].webhook.apiKeys[0].file: holds white space or invisible characters, or is no text: " +
			"put the key alone into it, on one line"}},
	{"TLS pair", []string{sinkURL, "      url: https://bot\n      tls: {certFile: garbage, keyFile: garbage}\n"}, []string{
		":21: channels[0].sink.http.tls.certFile: DIR/garbage holds no certificate in PEM: write a \"BEGIN CERTIFICATE\" block"}},
	{"TLS file missing", []string{sinkURL, "      url: https://bot\n      tls: {caFile: none}\n"}, []string{
		":21: channels[0].sink.http.tls.caFile: the file cannot be read: " +
			"no such file or directory (a relative path begins at the folder of this file)"}},
	{"secret as a file", []string{oaKey, "      - file: HiddenValue/x\n"}, []string{
		":13: channels[0].zaloOA.signature.secretKeys[0].file: the file cannot be read: " +
			"no such file or directory (a relative path begins at the folder of this file)"}},
	{"OA key and API key",
		[]string{
			oaKey, "      - file: empty\n      - file: big\n      - missing: true\n      - {missing: true, source: shop/oa}\n",
			apiKey, "      file: sub/file\n",
		}, []string{
			":13: channels[0].zaloOA.signature.secretKeys[0].file: DIR/empty is empty",
			":14: channels[0].zaloOA.signature.secretKeys[1].file: DIR/big is larger than 64 KiB: put the credential alone into it",
			":15: channels[0].zaloOA.signature.secretKeys[2]: it is not there",
			":16: channels[0].zaloOA.signature.secretKeys[3]: shop/oa is not there",
			":20: channels[0].webhook.apiKeys[0].file: DIR/sub/file is empty"}},
}

func TestSecretsThatCannotBeUsedRefuseNothingElse(t *testing.T) {
	cert, key := certificate.New(t, 1)
	_, other := certificate.New(t, 2)
	for _, l := range lacking {
		t.Run(l.name, func(t *testing.T) {
			path := write(t, map[string]string{
				"connector.yaml": l.text(t), "empty": "\n", "garbage": "HiddenValue",
				"words": "HiddenValue of words", "invisible": "\ufeffHiddenValue-HiddenValue", "huge": strings.Repeat(hidden, 60000),
				"tls.crt": cert, "tls.key": key, "other.key": other,
				"big": strings.Repeat(hidden, 6000), "sub/file": "", "url": "http://bot/HiddenValue",
			})
			c, err := config.Load(path, types.Config())
			if err != nil {
				t.Fatal(err)
			}
			var got, want []string
			for _, lack := range c.Lacks() {
				got = append(got, strings.ReplaceAll(lack.String(), filepath.Dir(path), "DIR"))
			}
			for _, line := range l.want {
				want = append(want, "DIR/connector.yaml"+line)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("lacks (-want +got):\n%s", diff)
			}
			if strings.Contains(strings.Join(got, ""), hidden) {
				t.Error("a message shows a secret")
			}
		})
	}
}
