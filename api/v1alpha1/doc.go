// Package v1alpha1 holds the ChannelConnector resource: what a team declares of
// a chat channel, and what the operator reports of it.
//
// Everything that can be refused without looking at other objects is refused by
// the schema that is generated from these types; there is no admission webhook.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +kubebuilder:ac:output:package="applyconfiguration"
// +groupName=xbot.a4b.vn
package v1alpha1

//go:generate go tool -modfile=../../tools/operator/go.mod controller-gen object crd applyconfiguration paths=. output:crd:dir=../../config/crd/bases
//go:generate go run ../finishcrd ../../config/crd/bases/xbot.a4b.vn_channelconnectors.yaml ../../charts/channel-connector/values.schema.json ../../config/kustomize/name_references.yaml
//go:generate go tool -modfile=../../tools/operator/go.mod crd-ref-docs --config=reference.yaml --source-path=. --renderer=markdown --output-path=../../docs/api.md --log-level=ERROR
//go:generate cp ../../config/crd/bases/xbot.a4b.vn_channelconnectors.yaml ../../charts/channel-connector/files/
//go:generate go tool -modfile=../../tools/helm/go.mod helm-docs --chart-search-root=../../charts --log-level=warning
