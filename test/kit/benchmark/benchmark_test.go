package benchmark

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/test/kit/series"
)

func TestParseFigures(t *testing.T) {
	r := &Run{most: 5, chosen: "1, 5"}
	if err := r.parseFigures(); err != nil || !cmp.Equal(r.figures, []int{1, 5}) {
		t.Errorf("parseFigures = %v, %v", r.figures, err)
	}
	for _, list := range []string{"", "0", "6", "one"} {
		if err := (&Run{most: 5, chosen: list}).parseFigures(); err == nil {
			t.Errorf("parseFigures of %q found no fault", list)
		}
	}
}

// An empty column is left out.
func TestTable(t *testing.T) {
	r := &Run{figure: 1}
	r.Add(Under("memory", 24.96, 25, "MiB"))
	r.Add(Under("restart", 5, 5, "s"))
	r.figure = 2
	r.Add(Row{Measure: "rate", Measured: "5/s", Result: "half"})
	var out strings.Builder
	if err := printTable(&out, r.rows); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.TrimSpace(line))
	}
	want := []string{
		"FIGURE  MEASURE  MEASURED  RESULT    ASKED",
		"1       memory             25.0 MiB  under 25 MiB  met",
		"1       restart            5.0 s     under 5 s     MISSED",
		"2       rate     5/s       half",
	}
	for i := range want {
		if strings.Join(strings.Fields(got[i]), " ") != strings.Join(strings.Fields(want[i]), " ") {
			t.Errorf("got  %s\nwant %s", got[i], want[i])
		}
	}
	if strings.Contains(out.String(), "BASELINE") {
		t.Error("an empty column is shown")
	}
}

func TestRatio(t *testing.T) {
	half := Ratio("rate", series.Series{100, 200, 300}, series.Series{50, 100, 150}, "%.0f/s", "of baseline")
	for _, tt := range []struct {
		row   Row
		asked string
		met   bool
	}{
		{half, "", false},
		{half.AtLeast(0.5), "at least 0.5", true},
		{half.AtLeast(0.6), "at least 0.6", false},
		{half.AtMost(0.5), "at most 0.5", true},
		{half.AtMost(0.4), "at most 0.4", false},
	} {
		want := []string{"0", "rate", "200/s", "100/s", "0.50 (0.50..0.50) of baseline", tt.asked}
		if got := tt.row.cells(); !cmp.Equal(want, got[:6]) || tt.row.Met != tt.met {
			t.Errorf("got %q, met %v; want %q, %v", got, tt.row.Met, want, tt.met)
		}
	}
}
