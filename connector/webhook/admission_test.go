package webhook

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// visitors are tickets by name, with those that were cut off in order.
type visitors struct {
	*admission

	t       *testing.T
	tickets map[string]*ticket
	cutOff  []string
}

func newVisitors(t *testing.T, places int, bytes int64) *visitors {
	return &visitors{
		admission: newAdmission(places, bytes, prometheus.NewGauge(prometheus.GaugeOpts{}), prometheus.NewGauge(prometheus.GaugeOpts{})),
		t:         t, tickets: make(map[string]*ticket),
	}
}

// entered is the ticket of a call that found a place, else nil.
func (a *admission) entered(s *share, interrupt func()) *ticket {
	t := new(ticket)
	if !a.enter(t, s, interrupt) {
		return nil
	}
	return t
}

// comes reports whether a call got a place.
func (v *visitors) comes(s *share, name string) bool {
	ticket := v.entered(s, func() { v.cutOff = append(v.cutOff, name) })
	if ticket != nil {
		v.tickets[name] = ticket
	}
	return ticket != nil
}

func (v *visitors) wantCutOff(names ...string) {
	v.t.Helper()
	if diff := cmp.Diff(names, v.cutOff); diff != "" {
		v.t.Errorf("cut off (-want +got):\n%s", diff)
	}
}

func TestTheLongestWaitingGivesWay(t *testing.T) {
	v, alone := newVisitors(t, 3, 1000), &share{alone: true}
	for _, name := range []string{"first", "second", "third"} {
		if !v.comes(alone, name) {
			t.Fatalf("no place for the %s", name)
		}
	}
	if !v.tickets["second"].widen(900) || value(v.buffered) != 900 || !v.tickets["second"].arrive() {
		t.Error("the second did not arrive")
	}
	if !v.comes(alone, "fourth") || !v.comes(alone, "fifth") {
		t.Error("nobody gave way")
	}
	v.wantCutOff("first", "third") // the second has arrived
	if v.tickets["first"].arrive() || v.tickets["first"].widen(1) {
		t.Error("who was cut off goes on")
	}
	if !v.tickets["fifth"].widen(100) {
		t.Error("no room for the fifth")
	}
	if !v.tickets["fourth"].widen(0) || v.tickets["fourth"].widen(1) {
		t.Error("the longest waiting found room that there is not")
	}
	if v.tickets["fifth"].arrive(); !v.tickets["fourth"].arrive() || v.comes(alone, "sixth") {
		t.Error("a place for the sixth, though all have arrived")
	}
	for _, name := range []string{"first", "second", "third", "fourth", "fifth"} {
		v.tickets[name].leave()
		v.tickets[name].leave() // gives nothing back twice
	}
	if v.taken != ([resources]int64{}) || value(v.buffered) != 0 || len(v.shares) > 0 || alone.waiting.Len() > 0 {
		t.Errorf("left behind: %v", v.taken)
	}
}

// Of several channels, the one that takes the most gives way, whichever comes.
func TestTheChannelThatTakesTheMostGivesWay(t *testing.T) {
	v, greedy, modest := newVisitors(t, 100, 1000), &share{}, &share{}
	if !v.comes(modest, "modest 0") {
		t.Fatal("no place")
	}
	for n := range 10 {
		if !v.comes(greedy, fmt.Sprint("greedy ", n)) || !v.tickets[fmt.Sprint("greedy ", n)].widen(100) && n < 8 {
			t.Fatalf("no room for call %d of a channel that may take 8/9", n)
		}
	}
	v.wantCutOff("greedy 0", "greedy 1") // for 8 and 9
	if !v.tickets["modest 0"].widen(300) {
		t.Error("no room for the modest channel")
	}
	v.wantCutOff("greedy 0", "greedy 1", "greedy 2")
}

// A channel leaves the others a ninth, and the one call of a channel may take everything.
func TestShares(t *testing.T) {
	v, full, other := newVisitors(t, 90, 900), &share{}, &share{}
	came := 0
	for v.comes(full, fmt.Sprint(came)) && came < 90 {
		v.tickets[fmt.Sprint(came)].arrive()
		came++
	}
	if came != 80 {
		t.Errorf("a channel took %d of 90 places, want 80", came)
	}
	for n := range 5 {
		if !v.comes(other, fmt.Sprint("other ", n)) {
			t.Errorf("no place for call %d of another channel", n)
		}
	}
	if !v.tickets["other 0"].widen(900) {
		t.Error("no room for the one body")
	}
	if v.tickets["other 0"].arrive(); v.tickets["other 1"].widen(1) {
		t.Error("more room than there is")
	}
	v.wantCutOff()
}

// Calls that were let in stay when there is less memory. New ones make waiting ones give way, as always.
func TestLessMemoryCutsNobodyOff(t *testing.T) {
	v, s := newVisitors(t, 10, 1000), &share{alone: true}
	for _, name := range []string{"arrived", "waiting", "third"} {
		if !v.comes(s, name) || !v.tickets[name].widen(300) {
			t.Fatalf("no room for the %s", name)
		}
	}
	if !v.tickets["arrived"].arrive() {
		t.Fatal("the first was cut off")
	}
	v.resize(400)
	v.wantCutOff()
	if value(v.buffered) != 900 || value(v.bound) != 400 {
		t.Errorf("%v of %v bytes are taken", value(v.buffered), value(v.bound))
	}
	if v.tickets["third"].widen(301) {
		t.Error("the third found room that there is not")
	}
	v.wantCutOff("waiting")
	if !v.tickets["third"].arrive() || !v.comes(s, "fourth") {
		t.Error("the third was cut off, or the fourth has no place")
	}
	v.resize(1000)
	if !v.tickets["fourth"].widen(400) || v.tickets["fourth"].widen(401) {
		t.Error("the fourth does not find the room that there is again")
	}
}
