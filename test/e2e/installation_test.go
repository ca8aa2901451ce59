//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"xbot.a4b.vn/channel-connector/test/kit/example"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// ways are the ways to a connector in docs/operator.md and docs/helm.md. Each installs its objects, and returns a
// function that removes them.
var ways = map[string]func(context.Context) (remove func(context.Context)){
	"Helm": func(ctx context.Context) func(context.Context) {
		installOperator(ctx, version)
		return removeOperator
	},
	"kustomize": func(ctx context.Context) func(context.Context) {
		overlay := writeOverlay()
		kubectl(ctx, "apply", "-k", overlay)
		return func(ctx context.Context) { kubectl(ctx, "delete", "-k", overlay, "--wait") }
	},
	"kubectl apply": func(ctx context.Context) func(context.Context) {
		manifest := filepath.Join(GinkgoT().TempDir(), "operator.yaml")
		Expect(os.WriteFile(manifest, []byte(kubectl(ctx, "kustomize", writeOverlay())), 0o600)).To(Succeed())
		kubectl(ctx, "apply", "--server-side", "-f", manifest)
		return func(ctx context.Context) { kubectl(ctx, "delete", "-f", manifest, "--wait") }
	},
}

var _ = Describe("An operator that is installed", func() {
	for way, install := range ways {
		It("by "+way+" makes a channel that takes the example event", func(ctx context.Context) {
			removeOperator(ctx)
			DeferCleanup(install(ctx))
			newChannel(ctx).takesTheExample(ctx)
		}, SpecTimeout(5*time.Minute))
	}

	It("is not needed by a channel that operator render prints", func(ctx context.Context) {
		removeOperator(ctx)
		c, declared := prepareChannel(ctx)
		objects := filepath.Join(GinkgoT().TempDir(), "shop.yaml")
		zalo, xbot := c.secrets()
		writeYAML(objects, declared, zalo, xbot)
		rendered := filepath.Join(filepath.Dir(objects), "rendered.yaml")
		manifest := run(ctx, "go", "run", "./cmd/operator", "render", "--connector-image", connectorImage+":"+version, "-f", objects)
		Expect(os.WriteFile(rendered, []byte(manifest), 0o600)).To(Succeed())
		kubectl(ctx, "apply", "-f", rendered)
		kubectl(ctx, "rollout", "status", "deployment/shop-connector", "--namespace", c.Namespace, "--timeout=2m")
		c.takesTheExample(ctx)
		Expect(kubectl(ctx, "diff", "-f", rendered)).To(BeEmpty())
	}, SpecTimeout(5*time.Minute))
})

// writeOverlay writes a kustomization that is config/default with the suite's images, as docs/operator.md says, and
// returns its folder.
func writeOverlay() string {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	here, err := os.Getwd()
	Expect(err).NotTo(HaveOccurred())
	base, err := filepath.Rel(folder, filepath.Join(here, "config", "default"))
	Expect(err).NotTo(HaveOccurred())
	// kustomize reads the connector's image here.
	where, err := os.ReadFile(filepath.Join(here, "config", "operator", "images.yaml"))
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(filepath.Join(folder, "images.yaml"), where, 0o600)).To(Succeed())
	image := func(name, newName string) map[string]string {
		return map[string]string{"name": name, "newName": newName, "newTag": version}
	}
	writeYAML(filepath.Join(folder, "kustomization.yaml"), map[string]any{
		"resources":      []string{base},
		"images":         []any{image("channel-connector-operator", operatorImage), image("channel-connector", connectorImage)},
		"configurations": []string{"images.yaml"},
	})
	return folder
}

// writeYAML writes objects as the documents of a file.
func writeYAML(path string, objects ...any) {
	GinkgoHelper()
	var text strings.Builder
	for _, object := range objects {
		document, err := yaml.Marshal(object)
		Expect(err).NotTo(HaveOccurred())
		fmt.Fprintf(&text, "---\n%s", document)
	}
	Expect(os.WriteFile(path, []byte(text.String()), 0o600)).To(Succeed())
}

// takesTheExample posts the event that xBot publishes, as of now, with connector send, and waits until the bot has it.
func (c *channel) takesTheExample(ctx context.Context) {
	GinkgoHelper()
	folder, first := GinkgoT().TempDir(), traffic.Message{}
	for name, content := range map[string][]byte{
		"event.json": example.EventOf(first.String(), time.Now()), "api-key": []byte(c.current.APIKey), "secret": []byte(c.current.Secret),
	} {
		Expect(os.WriteFile(filepath.Join(folder, name), content, 0o600)).To(Succeed())
	}
	run(ctx, "go", "run", "./cmd/connector", "send", "--url", c.url(ctx), "--file", filepath.Join(folder, "event.json"),
		"--api-key-file", filepath.Join(folder, "api-key"), "--secret-file", filepath.Join(folder, "secret"))
	Eventually(c.bot.Arrivals).Should(ConsistOf(And(HaveField("Message", first), HaveField("Taken", true))))
}
