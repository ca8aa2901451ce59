package main

import (
	"fmt"
	"slices"
)

// series are the results of the rounds of one measurement, in order.
type series []float64

// median is the middle one, the upper of two.
func (r series) median() float64 { return quantile(r, 0.5) }

// over divides each round's result by the other's of the same round: what
// disturbs the machine for longer than a round disturbs both.
func (r series) over(base series) series {
	ratios := make(series, len(r))
	for i := range r {
		ratios[i] = r[i] / base[i]
	}
	return ratios
}

// spread writes "median (min..max)".
func (r series) spread() string {
	return fmt.Sprintf("%.2f (%.2f..%.2f)", r.median(), slices.Min(r), slices.Max(r))
}

// quantile is the value that the share q of values does not exceed.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
