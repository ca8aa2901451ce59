package connector

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

const mib = 1 << 20

// sight is what the cgroup shows, and what is to come of it.
type sight struct {
	bytes uint64
	err   error

	gauge     float64
	soft      int64 // the last one set
	divisible int64
	logged    int // lines so far
}

// watched is a memory of a cgroup that the test makes up.
type watched struct {
	*memory

	sight sight
	soft  int64
	lines []string
}

func watch() *watched {
	w := &watched{}
	log := funcr.New(func(_, args string) { w.lines = append(w.lines, args) }, funcr.Options{})
	w.memory = newMemory(prometheus.NewGauge(prometheus.GaugeOpts{}), log)
	w.read = func() (uint64, error) { return w.sight.bytes, w.sight.err }
	w.setSoft = func(bytes int64) { w.soft = bytes }
	w.chosen, w.environment = false, math.MaxInt64
	return w
}

func (w *watched) sees(t *testing.T, sights []sight) {
	t.Helper()
	for i, s := range sights {
		w.sight = s
		w.look()
		var gauge dto.Metric
		if err := w.gauge.Write(&gauge); err != nil {
			t.Fatal(err)
		}
		got := sight{s.bytes, s.err, gauge.GetGauge().GetValue(), w.soft, w.divisible(), len(w.lines)}
		if diff := cmp.Diff(fmt.Sprintf("%+v", s), fmt.Sprintf("%+v", got)); diff != "" {
			t.Errorf("sight %d (-want +got):\n%s\n%q", i, diff, w.lines)
		}
	}
}

func TestMemoryFollowsTheCgroup(t *testing.T) {
	broken := errors.New("no usable cgroup v1 memory mount found")
	watch().sees(t, []sight{
		{err: memlimit.ErrNoLimit},
		{err: memlimit.ErrNoCgroup},
		{err: memlimit.ErrCgroupsNotSupported},
		{bytes: 500 * mib, gauge: 500 * mib, soft: 400 * mib, divisible: 500 * mib},
		{bytes: 100 * mib, gauge: 100 * mib, soft: 80 * mib, divisible: 100 * mib},
		{err: broken, gauge: 100 * mib, soft: 80 * mib, divisible: 100 * mib, logged: 1},
		{err: broken, gauge: 100 * mib, soft: 80 * mib, divisible: 100 * mib, logged: 1},
		{bytes: 100 * mib, gauge: 100 * mib, soft: 80 * mib, divisible: 100 * mib, logged: 1},
		{err: broken, gauge: 100 * mib, soft: 80 * mib, divisible: 100 * mib, logged: 2},
		{err: memlimit.ErrNoLimit, soft: math.MaxInt64, logged: 2},
		{bytes: math.MaxUint64, gauge: math.MaxInt64, soft: softLimit(math.MaxInt64), divisible: math.MaxInt64, logged: 2},
	})
}

// TestGOMEMLIMITStays: it is the user's choice of what Go's runtime takes. The parts keep to whichever is less.
func TestGOMEMLIMITStays(t *testing.T) {
	sights := func(unlimited, large, small int64) []sight {
		return []sight{
			{err: memlimit.ErrNoLimit, divisible: unlimited},
			{bytes: 500 * mib, gauge: 500 * mib, divisible: large},
			{bytes: 100 * mib, gauge: 100 * mib, divisible: small},
		}
	}
	limited := watch()
	limited.chosen, limited.environment = true, 160*mib
	limited.sees(t, sights(200*mib, 200*mib, 100*mib))
	off := watch()
	off.chosen = true
	off.sees(t, sights(0, 500*mib, 100*mib))

	t.Setenv("GOMEMLIMIT", "160MiB")
	if m := newMemory(nil, funcr.New(func(_, _ string) {}, funcr.Options{})); !m.chosen {
		t.Error("GOMEMLIMIT is set, and is not seen")
	}
}
