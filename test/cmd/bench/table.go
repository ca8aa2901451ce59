package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// row is one line of the table.
type row struct {
	figure    int
	measure   string
	baseline  string
	connector string
	result    string
	asked     string // empty: for information only
	met       bool
}

// table is printed at the end, and each row when it is known.
type table struct {
	progress io.Writer
	rows     []row
}

func (t *table) add(r row) {
	t.rows = append(t.rows, r)
	_, _ = fmt.Fprintf(t.progress, "  %s: %s\n", r.measure, r.result)
}

func (t *table) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "FIGURE\tMEASURE\tBASELINE\tCONNECTOR\tRESULT\tASKED\t")
	for _, r := range t.rows {
		_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n",
			r.figure, r.measure, r.baseline, r.connector, r.result, r.asked, r.verdict())
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
