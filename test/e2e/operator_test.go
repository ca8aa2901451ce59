//go:build e2e

package e2e

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
)

// operatorNamespace is that of the specs' operator.
const operatorNamespace = namespacePrefix + "operator"

// kustomizeNamespace is that of config/default.
const kustomizeNamespace = "xbot-system"

// helm runs the helm that the repository pins, with a namespace.
func helm(ctx context.Context, namespace string, args ...string) {
	GinkgoHelper()
	run(ctx, "go", append([]string{"tool", "-modfile=tools/helm/go.mod", "helm", "--namespace", namespace}, args...)...)
}

// chart is the chart with the suite's images. connectorVersion is that of the connectors.
func chart(connectorVersion string) []string {
	return []string{
		"charts/channel-connector",
		"--set-string", "operator.image.repository=" + operatorImage,
		"--set-string", "operator.image.tag=" + version,
		"--set-string", "connector.image.repository=" + connectorImage,
		"--set-string", "connector.image.tag=" + connectorVersion,
	}
}

// installOperator installs the operator by Helm, or restores its default values.
func installOperator(ctx context.Context, connectorVersion string, more ...string) {
	GinkgoHelper()
	helm(ctx, operatorNamespace, slices.Concat(
		[]string{"upgrade", "--install", "--create-namespace", "--wait", "--timeout=3m", "--set", "crds.keep=false", "operator"},
		chart(connectorVersion), more)...)
}

// removeOperator undoes installOperator, and removes the definition of the resource.
func removeOperator(ctx context.Context) {
	GinkgoHelper()
	helm(ctx, operatorNamespace, "uninstall", "operator", "--ignore-not-found", "--wait", "--timeout=3m")
}
