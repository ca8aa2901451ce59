package controllers

import "testing"

func TestOutdatedMessage(t *testing.T) {
	for want, missing := range map[string][]string{
		"": nil,
		"The CustomResourceDefinition in the cluster is older than the operator: it lacks a, b, c, d, e and 2 more. " +
			"The API server drops such fields. " +
			"Apply the one of the operator's version: its config/crd, or its Helm chart with crds.enabled": {"a", "b", "c", "d", "e", "f", "g"},
	} {
		if got := outdatedMessage(missing); got != want {
			t.Errorf("%v: got %q", missing, got)
		}
	}
}
