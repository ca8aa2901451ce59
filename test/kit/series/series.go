// Package series summarises repeated measurements.
package series

import (
	"fmt"
	"slices"
)

// Series are the results of the rounds of one measurement, in order.
type Series []float64

// Median is the middle one, the upper of two.
func (s Series) Median() float64 { return s.Quantile(0.5) }

// Quantile returns the value that the share q of all values does not exceed.
func (s Series) Quantile(q float64) float64 {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// Over divides each round's result by the base's of the same round: a disturbance longer than a round affects both.
func (s Series) Over(base Series) Series {
	ratios := make(Series, len(s))
	for i := range s {
		ratios[i] = s[i] / base[i]
	}
	return ratios
}

// Spread writes "median (min..max)".
func (s Series) Spread() string {
	return fmt.Sprintf("%.2f (%.2f..%.2f)", s.Median(), slices.Min(s), slices.Max(s))
}
