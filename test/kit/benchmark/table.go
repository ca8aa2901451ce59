package benchmark

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Row is one line of the table.
type Row struct {
	Figure  int
	Measure string
	// Baseline and Measured are empty if nothing is compared.
	Baseline, Measured string
	Result             string
	// Asked is empty if the figure has no limit; otherwise Met reports whether the result keeps it.
	Asked string
	Met   bool
}

// Add adds a row, and prints it at once.
func (r *Run) Add(row Row) {
	r.rows = append(r.rows, row)
	Sayf("  %s: %s", row.Measure, row.Result)
}

// Under returns a row whose value has to be less than a limit.
func Under(figure int, measure string, value, limit float64, unit string) Row {
	return Row{
		Figure: figure, Measure: measure, Result: fmt.Sprintf("%.1f %s", value, unit),
		Asked: fmt.Sprintf("under %.0f %s", limit, unit), Met: value < limit,
	}
}

func (r Row) verdict() string {
	switch {
	case r.Asked == "":
		return ""
	case r.Met:
		return "met"
	default:
		return "MISSED"
	}
}

func (r Row) cells() []string {
	return []string{strconv.Itoa(r.Figure), r.Measure, r.Baseline, r.Measured, r.Result, r.Asked, r.verdict()}
}

// printTable leaves out empty columns.
func printTable(out io.Writer, rows []Row) error {
	heads := []string{"FIGURE", "MEASURE", "BASELINE", "MEASURED", "RESULT", "ASKED", ""}
	filled := make([]bool, len(heads))
	for _, row := range rows {
		for i, cell := range row.cells() {
			filled[i] = filled[i] || cell != ""
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	printLine := func(cells []string) {
		column := -1
		shown := slices.DeleteFunc(cells, func(string) bool { column++; return !filled[column] })
		fmt.Fprintln(w, strings.Join(shown, "\t"))
	}
	printLine(heads)
	for _, row := range rows {
		printLine(row.cells())
	}
	return w.Flush()
}
