package benchmark

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFigures(t *testing.T) {
	r := &Run{most: 5, chosen: "1, 5"}
	if err := r.parseFigures(); err != nil || !cmp.Equal(r.Figures, []int{1, 5}) {
		t.Errorf("parseFigures = %v, %v", r.Figures, err)
	}
	for _, list := range []string{"", "0", "6", "one"} {
		if err := (&Run{most: 5, chosen: list}).parseFigures(); err == nil {
			t.Errorf("parseFigures of %q found no fault", list)
		}
	}
}

var rows = []Row{
	Under(1, "memory", 24.96, 25, "MiB"),
	Under(1, "restart", 5, 5, "s"),
	{Figure: 2, Measure: "rate", Measured: "5/s", Result: "half"},
}

// A column in which there is nothing is left out.
func TestTable(t *testing.T) {
	var out strings.Builder
	if err := printTable(&out, rows); err != nil {
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
