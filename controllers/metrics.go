package controllers

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"xbot.a4b.vn/channel-connector/controllers/registration"
)

// The operator's own metrics, beside those of controller-runtime.
var (
	upgradesPending = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "xbot_operator_upgrades_pending",
		Help: "Connectors that wait for their turn to get the pod template of this version of the operator.",
	})
	upgradesStopped = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "xbot_operator_upgrades_stopped",
		Help: "1 while no connector is upgraded because upgraded ones did not come up in several namespaces, otherwise 0.",
	})
	upgradesFailed = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "xbot_operator_upgrades_failed",
		Help: "Connectors that did not come up with the pod template of this version of the operator.",
	})
	connectorsBeyondBound = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "xbot_operator_connectors_beyond_bound",
		Help: "ChannelConnectors that are younger than as many of their namespace as the operator serves.",
	})
	fieldsContested = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "xbot_operator_fields_contested",
		Help: "Fields of children that the operator leaves as they are for a while, because others change them back.",
	})
	registrations = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "xbot_operator_webhook_registrations_total",
		Help: "Calls that tell a platform where to call, by result: registered, refused (the credential) or failed.",
	}, []string{"result"})
)

// RegisterMetrics registers the operator's own metrics in controller-runtime's registry, once for a process.
func RegisterMetrics() {
	metrics.Registry.MustRegister(upgradesPending, upgradesStopped, upgradesFailed, connectorsBeyondBound, fieldsContested, registrations)
	for _, result := range []string{registration.ResultRegistered, registration.ResultRefused, registration.ResultFailed} {
		registrations.WithLabelValues(result) // from 0
	}
}
