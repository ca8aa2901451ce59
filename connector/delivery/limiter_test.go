package delivery

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLimiterTake(t *testing.T) {
	tests := map[string]struct {
		capacity int
		bounds   []int // of the channels, which take one after the other
		want     []int
	}{
		"a single channel leaves half":      {capacity: 10, bounds: []int{64}, want: []int{5}},
		"an odd capacity":                   {capacity: 9, bounds: []int{64}, want: []int{5}},
		"the channel's own bound":           {capacity: 100, bounds: []int{3}, want: []int{3}},
		"later ones share what is left":     {capacity: 16, bounds: []int{64, 64, 64}, want: []int{8, 4, 2}},
		"everyone gets one":                 {capacity: 1, bounds: []int{9, 9, 9}, want: []int{1, 1, 1}},
		"everyone gets one beyond the full": {capacity: 2, bounds: []int{9, 9, 9, 9}, want: []int{1, 1, 1, 1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := &limiter{capacity: tt.capacity}
			got := make([]int, 0, len(tt.bounds))
			for _, bound := range tt.bounds {
				got = append(got, l.take(&seat{bound: bound}))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("slots (-want +got):\n%s", diff)
			}
		})
	}
}

// The closed form in room must grant exactly what the rule grants when the slots are taken one by one.
func TestLimiterRoomIsTheRule(t *testing.T) {
	for capacity := 1; capacity < 12; capacity++ {
		for others := range 14 {
			for own := range 14 {
				for bound := 1; bound < 14; bound++ {
					want := 0
					for own+want < min(bound, max(1, capacity-(others+own+want))) {
						want++
					}
					l := &limiter{capacity: capacity, taken: others + own}
					if got := l.room(&seat{taken: own, bound: bound}); got != want {
						t.Fatalf("capacity %d, others %d, own %d, bound %d: room %d, want %d", capacity, others, own, bound, got, want)
					}
				}
			}
		}
	}
}

func TestLimiterWakesTheLongestWaitingWithRoom(t *testing.T) {
	l := &limiter{capacity: 4}
	var woken []string
	newSeat := func(name string) *seat {
		return &seat{bound: 64, wake: func() { woken = append(woken, name) }}
	}
	a, b, c := newSeat("a"), newSeat("b"), newSeat("c")
	for _, s := range []*seat{a, b, c} {
		l.take(s)
	}
	l.wait(b) // holds 1 of 4
	l.wait(c) // holds 1 of 4
	l.wait(b) // still the longest waiting
	if len(woken) > 0 {
		t.Fatalf("woken without room: %v", woken)
	}
	l.giveBack(a, 2, 0)
	if diff := cmp.Diff([]string{"b"}, woken); diff != "" {
		t.Fatalf("after slots were freed (-want +got):\n%s", diff)
	}
	l.withdraw(b) // does not need it after all
	if diff := cmp.Diff([]string{"b", "c"}, woken); diff != "" {
		t.Fatalf("after the woken one withdrew (-want +got):\n%s", diff)
	}
}

// TestLimiterLosesNoWakeUp plays channels that act at random, and asks after every step: is there one that waits, has
// room, and was not woken?
func TestLimiterLosesNoWakeUp(t *testing.T) {
	for seed := range uint64(200) {
		g := newGame(rand.New(rand.NewPCG(seed, 0)), 6)
		for range 300 {
			g.step()
			if n, lost := g.lost(); lost {
				t.Fatalf("seed %d: channel %d waits though it has room, and no wake-up is under way", seed, n)
			}
		}
	}
}

// game is a limiter with players that act at random.
type game struct {
	random *rand.Rand
	slots  *limiter
	seats  []*seat
	woken  []bool // and has not acted since
}

func newGame(random *rand.Rand, players int) *game {
	g := &game{random: random, slots: &limiter{capacity: 1 + random.IntN(20), budget: random.IntN(100)}, woken: make([]bool, players)}
	for i := range players {
		g.seats = append(g.seats, &seat{bound: 1 + random.IntN(10), wake: func() { g.woken[i] = true }})
	}
	return g
}

func (g *game) step() {
	i := g.random.IntN(len(g.seats))
	s := g.seats[i]
	switch g.random.IntN(7) {
	case 0, 1: // wants more
		g.woken[i] = false
		g.slots.fill(s, g.slots.take(s)*g.random.IntN(10))
		g.slots.wait(s)
	case 2: // is content with what it gets
		g.woken[i] = false
		g.slots.take(s)
	case 3, 4:
		if s.taken > 0 {
			g.slots.giveBack(s, 1+g.random.IntN(s.taken), g.random.IntN(s.bytes+1))
		}
	case 5: // the memory is another one
		g.slots.resize(g.random.IntN(100))
	default: // wants nothing
		g.woken[i] = false
		g.slots.withdraw(s)
	}
}

func (g *game) lost() (player int, lost bool) {
	if slices.Contains(g.woken, true) {
		return 0, false
	}
	player = slices.IndexFunc(g.seats, func(s *seat) bool { return s.place != nil && g.slots.room(s) > 0 })
	return player, player >= 0
}

func TestLimiterSetBound(t *testing.T) {
	woken := 0
	l := &limiter{capacity: 100}
	s := &seat{bound: 2, wake: func() { woken++ }}
	if got := l.take(s); got != 2 {
		t.Fatalf("took %d, want 2", got)
	}
	l.wait(s)
	l.setBound(s, 5)
	if got := l.take(s); woken != 1 || got != 3 {
		t.Errorf("woken %d times, took %d more; want 1 and 3", woken, got)
	}
	l.setBound(s, 1)
	if got := l.take(s); got != 0 {
		t.Errorf("took %d beyond a lowered bound", got)
	}
}

// What is under way beyond a smaller budget goes on, and makes room for nothing.
func TestLimiterResize(t *testing.T) {
	woken := 0
	l := &limiter{capacity: 100, budget: 1000}
	s, other := &seat{bound: 10, wake: func() { woken++ }}, &seat{bound: 10}
	l.take(s)
	l.fill(s, 400)
	l.setBound(s, 20)
	l.resize(200)
	if got := l.take(s); got != 0 {
		t.Errorf("took %d slots beyond a smaller budget", got)
	}
	if got := l.take(other); got != 1 {
		t.Errorf("a channel that has nothing took %d slots, want 1", got)
	}
	l.wait(s)
	l.resize(1000)
	if got := l.take(s); woken != 1 || got != 10 {
		t.Errorf("woken %d times, took %d more, after the budget rose", woken, got)
	}
}
