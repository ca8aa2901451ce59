package benchmark

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"xbot.a4b.vn/channel-connector/test/kit/series"
)

// Row is one line of the table.
type Row struct {
	Figure  int
	Measure string
	// Baseline and Measured are empty if nothing is compared.
	Baseline, Measured string
	Result             string
	// Asked is the wanted result, empty for a row that is only of interest. Met reports whether it was reached.
	Asked string
	Met   bool

	ratio float64
}

// Add takes in a row of the figure under way, and reports it to stderr at once.
func (r *Run) Add(row Row) {
	row.Figure = r.figure
	r.rows = append(r.rows, row)
	Sayf("  %s: %s", row.Measure, row.Result)
}

// Under is a row whose value must be below a limit.
func Under(measure string, value, limit float64, unit string) Row {
	return Row{
		Measure: measure, Result: fmt.Sprintf("%.1f %s", value, unit),
		Asked: fmt.Sprintf("under %.0f %s", limit, unit), Met: value < limit,
	}
}

// Ratio is a row that divides each round's value by that of the baseline. unit formats a median, of ends the result:
// "0.52 (0.43..0.58) of baseline".
func Ratio(measure string, baseline, measured series.Series, unit, of string) Row {
	ratio := measured.Over(baseline)
	return Row{
		Measure: measure, Baseline: fmt.Sprintf(unit, baseline.Median()), Measured: fmt.Sprintf(unit, measured.Median()),
		Result: ratio.Spread() + " " + of, ratio: ratio.Median(),
	}
}

// AtLeast is the lower bound of a ratio.
func (r Row) AtLeast(limit float64) Row {
	r.Asked, r.Met = fmt.Sprintf("at least %v", limit), r.ratio >= limit
	return r
}

// AtMost is the upper bound of a ratio.
func (r Row) AtMost(limit float64) Row {
	r.Asked, r.Met = fmt.Sprintf("at most %v", limit), r.ratio <= limit
	return r
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
