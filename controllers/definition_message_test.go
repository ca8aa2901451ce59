package controllers

import (
	"strings"
	"testing"
)

func TestOutdatedMessage(t *testing.T) {
	for want, missing := range map[string][]string{
		"": nil,
		"The CustomResourceDefinition in the cluster is older than the operator: it lacks a, b, c, d, e and 2 more. " +
			"The API server drops such fields. " +
			"Apply the one of the operator's version the way this one came: " +
			"if kubectl get crd channelconnectors.xbot.a4b.vn -o yaml shows the label app.kubernetes.io/managed-by: Helm, " +
			"with helm upgrade --install of the release that the annotations meta.helm.sh name, with crds.enabled; " +
			"if Argo CD or Flux tracks it, through them; otherwise with kubectl apply --server-side -k config/crd": strings.Split("abcdefg", ""),
	} {
		if got := outdatedMessage(missing); got != want {
			t.Errorf("%v: got %q", missing, got)
		}
	}
}
