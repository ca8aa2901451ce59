package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// row is one line of the table.
type row struct {
	figure   int
	measure  string
	asked    string // empty: for information only
	measured string
	met      bool
}

// table is printed at the end, and each row when it is known.
type table struct {
	progress io.Writer
	rows     []row
}

func (t *table) add(r row) {
	t.rows = append(t.rows, r)
	fmt.Fprintf(t.progress, "  %s: %s\n", r.measure, r.measured)
}

func (t *table) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FIGURE\tMEASURE\tASKED\tMEASURED\t")
	for _, r := range t.rows {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", r.figure, r.measure, r.asked, r.measured, r.verdict())
	}
	return w.Flush()
}

func (r row) verdict() string {
	switch {
	case r.asked == "":
		return ""
	case r.met:
		return "met"
	default:
		return "MISSED"
	}
}
