package controllers

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// The operator's own metrics, beside those of controller-runtime.
var (
	upgradesPending = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "xbot_operator_upgrades_pending",
		Help: "Connectors that wait for their turn to get the pod template of this version of the operator.",
	})
	upgradesStopped = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "xbot_operator_upgrades_stopped",
		Help: "1 while no connector is upgraded because an upgraded one did not come up, otherwise 0.",
	})
	fieldsContested = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "xbot_operator_fields_contested",
		Help: "Fields of children that the operator leaves as they are for a while, because others change them back.",
	})
)

// RegisterMetrics registers the operator's own metrics in controller-runtime's registry, once for a process.
func RegisterMetrics() {
	metrics.Registry.MustRegister(upgradesPending, upgradesStopped, fieldsContested)
}
