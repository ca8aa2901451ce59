//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	. "github.com/onsi/ginkgo/v2"
)

// Times are measured and shown, never asserted: the machine may be busy.

// figures are the suite's measurements, by their names.
var figures = struct {
	sync.Mutex
	order  []string
	goals  map[string]string
	values map[string][]time.Duration
	// counts are lines of their own.
	counts []string
}{goals: map[string]string{}, values: map[string][]time.Duration{}}

// measured keeps a time, with its goal as text.
func measured(what, goal string, took time.Duration) {
	figures.Lock()
	defer figures.Unlock()
	if _, known := figures.goals[what]; !known {
		figures.order = append(figures.order, what)
	}
	figures.goals[what] = goal
	figures.values[what] = append(figures.values[what], took)
	fmt.Fprintf(GinkgoWriter, "%s: %v\n", what, took.Round(time.Millisecond))
}

// counted keeps a figure that is no time.
func counted(what, counts string) {
	figures.Lock()
	defer figures.Unlock()
	figures.counts = append(figures.counts, what+": "+counts)
	fmt.Fprintf(GinkgoWriter, "%s: %s\n", what, counts)
}

var _ = ReportAfterSuite("figures", func(Report) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nFIGURE\tGOAL\tP50\tP95\tMOST\tTIMES")
	for _, what := range figures.order {
		values := slices.Sorted(slices.Values(figures.values[what]))
		at := func(share float64) time.Duration {
			return values[min(len(values)-1, int(share*float64(len(values))))].Round(time.Millisecond)
		}
		fmt.Fprintf(w, "%s\t%s\t%v\t%v\t%v\t%d\n", what, figures.goals[what], at(0.5), at(0.95), at(1), len(values))
	}
	_ = w.Flush() // to the terminal
	fmt.Fprintln(os.Stdout)
	for _, line := range figures.counts {
		fmt.Fprintln(os.Stdout, line)
	}
})
