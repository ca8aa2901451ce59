package traffic

import (
	"fmt"
	"slices"
	"time"
)

// Verdict says what became of acknowledged messages.
type Verdict struct {
	// Acknowledged is their number.
	Acknowledged int
	// Lost were acknowledged and never taken, and are no dead letters.
	Lost []Message
	// Inverted came before an earlier one of their conversation was taken or refused.
	Inverted []Message
	// Repeated came again after they were taken; each repetition counts.
	Repeated []Message
}

// String has the counts.
func (v Verdict) String() string {
	return fmt.Sprintf("%d acknowledged, %d lost, %d inverted, %d repeated", v.Acknowledged, len(v.Lost), len(v.Inverted), len(v.Repeated))
}

// Judge compares arrivals with the number of messages of each conversation that were acknowledged. Dead letters are not
// lost, and nothing waits for them.
func Judge(acknowledged []int, arrivals []Arrival, dead ...Message) Verdict {
	v := Verdict{Inverted: inverted(arrivals, dead)}
	taken := make(map[Message]bool)
	for _, a := range arrivals {
		if taken[a.Message] {
			v.Repeated = append(v.Repeated, a.Message)
		}
		taken[a.Message] = taken[a.Message] || a.Taken
	}
	for _, m := range dead {
		taken[m] = true
	}
	for conversation, count := range acknowledged {
		v.Acknowledged += count
		for n := range count {
			if m := (Message{conversation, n}); !taken[m] {
				v.Lost = append(v.Lost, m)
			}
		}
	}
	return v
}

// InvertedOutside returns the inversions outside a period. from and to are the numbers of acknowledged messages of each
// conversation at its begin and end.
func (v Verdict) InvertedOutside(from, to []int) (others []Message) {
	for _, m := range v.Inverted {
		if m.N < from[m.Conversation] || m.N >= to[m.Conversation] {
			others = append(others, m)
		}
	}
	return others
}

func inverted(arrivals []Arrival, dead []Message) (early []Message) {
	awaited := make(map[int][]int) // the unsettled messages of each conversation, in order
	for _, a := range arrivals {
		awaited[a.Conversation] = append(awaited[a.Conversation], a.N)
	}
	for _, numbers := range awaited {
		slices.Sort(numbers)
	}
	came, settled := make(map[Message]bool), make(map[Message]bool)
	for _, m := range dead {
		settled[m] = true
	}
	for _, a := range arrivals {
		numbers := awaited[a.Conversation]
		for len(numbers) > 0 && settled[Message{a.Conversation, numbers[0]}] {
			numbers = numbers[1:]
		}
		if len(numbers) > 0 && numbers[0] < a.N && !came[a.Message] {
			early = append(early, a.Message)
		}
		came[a.Message] = true
		settled[a.Message] = settled[a.Message] || a.Taken || a.Refused
		awaited[a.Conversation] = numbers
	}
	return early
}

// Invented returns the arrivals of messages that were never sent. The one after the acknowledged may be under way.
func Invented(acknowledged []int, arrivals []Arrival) (invented []Message) {
	for _, a := range arrivals {
		if a.Conversation >= len(acknowledged) || a.N > acknowledged[a.Conversation] {
			invented = append(invented, a.Message)
		}
	}
	return invented
}

// Outage returns the longest time between two calls that were answered 200 with a failed one between them; 0 if none
// failed.
func Outage(calls []Call) time.Duration {
	calls = slices.Clone(calls)
	slices.SortFunc(calls, func(a, b Call) int { return a.Until.Compare(b.Until) })
	var longest time.Duration
	var lastGood time.Time
	failed := false
	for _, call := range calls {
		if call.Failed() {
			failed = true
			continue
		}
		if failed && !lastGood.IsZero() {
			longest = max(longest, call.Until.Sub(lastGood))
		}
		lastGood, failed = call.Until, false
	}
	return longest
}
