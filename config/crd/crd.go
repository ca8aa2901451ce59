// Package crd holds the CustomResourceDefinition of the ChannelConnector as it is generated from package v1alpha1, for
// programs that need the schema without a cluster.
package crd

import _ "embed"

// ChannelConnectors is the CustomResourceDefinition, in YAML.
//
//go:embed bases/xbot.a4b.vn_channelconnectors.yaml
var ChannelConnectors []byte
