// Package argocd holds Argo CD's health check of the ChannelConnector, in the layout of Argo CD's own
// resource_customizations.
package argocd

import _ "embed"

// Health is the check, in Lua.
//
//go:embed resource_customizations/xbot.a4b.vn/ChannelConnector/health.lua
var Health string
