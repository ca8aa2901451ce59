package delivery

import (
	"math/rand/v2"
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
			var got []int
			for _, bound := range tt.bounds {
				got = append(got, l.take(&seat{bound: bound}))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("slots (-want +got):\n%s", diff)
			}
		})
	}
}

// The closed form in room must grant exactly what the rule grants when the slots
// are taken one by one.
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
	l.giveBack(a, 2)
	if diff := cmp.Diff([]string{"b"}, woken); diff != "" {
		t.Fatalf("after slots were freed (-want +got):\n%s", diff)
	}
	l.withdraw(b) // does not need it after all
	if diff := cmp.Diff([]string{"b", "c"}, woken); diff != "" {
		t.Fatalf("after the woken one withdrew (-want +got):\n%s", diff)
	}
}

// TestLimiterLosesNoWakeUp plays channels that always want more, at random, and
// asks after every step: is there one that waits, has room, and was not woken?
func TestLimiterLosesNoWakeUp(t *testing.T) {
	const channels = 6
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		l := &limiter{capacity: 1 + random.IntN(20)}
		woken := make([]bool, channels)
		seats := make([]*seat, channels)
		for i := range seats {
			seats[i] = &seat{bound: 1 + random.IntN(10), wake: func() { woken[i] = true }}
		}
		for range 300 {
			i := random.IntN(channels)
			s := seats[i]
			switch random.IntN(5) {
			case 0, 1:
				woken[i] = false
				l.take(s)
				l.wait(s)
			case 2, 3:
				if s.taken > 0 {
					l.giveBack(s, 1+random.IntN(s.taken))
				}
			case 4:
				woken[i] = false
				l.withdraw(s)
			}
			anyWoken := false
			for _, w := range woken {
				anyWoken = anyWoken || w
			}
			for n, s := range seats {
				if s.place != nil && l.room(s) > 0 && !anyWoken {
					t.Fatalf("seed %d: channel %d waits though it has room, and no wake-up is under way", seed, n)
				}
			}
		}
	}
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
