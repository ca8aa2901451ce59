package inboxtest

import (
	"strings"
	"time"

	"pgregory.net/rapid"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox"
)

// runs generates runs of operations, and does each as soon as it is drawn: what was not drawn before a failure need not
// be removed from it. It returns their number.
//
// No operation depends on what the store answers, so that any may be left out. They are drawn where rapid prints
// nothing; do prints each.
func runs(s Storage, do func(operation)) *rapid.Generator[int] {
	next := operations(s)
	return rapid.Custom(func(t *rapid.T) (n int) {
		t.Repeat(map[string]func(*rapid.T){"operation": func(t *rapid.T) {
			do(next.Draw(t, "operation"))
			n++
		}})
		return n
	})
}

// operations generates an operation. The earlier ones are the plainer ones, to which rapid shortens.
func operations(s Storage) *rapid.Generator[operation] {
	single := rapid.OneOf(accepts(), settles())
	calls := rapid.OneOf(
		accepts(), accepts(), accepts(), togethers(single), togethers(single),
		claims(), claims(), claims(), settles(), settles(), settles(), settles(),
		ends(), ends(), ends(), ends(), configures())
	all := []*rapid.Generator[operation]{
		calls, calls, calls, calls, delivers(), delivers(), delivers(), repeats(), clocks(), clocks(), restarts(),
		rapid.OneOf(calls, crowds()),
	}
	if s.CutPower != nil {
		all = append(all, cuts(rapid.OneOf(calls, calls, restarts())))
	}
	if s.Fill != nil {
		all = append(all, fills())
	}
	return rapid.OneOf(all...)
}

// channels generates mostly the first, so that much happens to it.
func channels() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{modelChannels[0], modelChannels[0], modelChannels[0], modelChannels[1]})
}

// conversations are few, so that lanes fill.
var conversations = []string{"an", "binh", "chi"}

// events generates a channel's events, so few different ones that many come again.
func events(channel string) *rapid.Generator[event.Event] {
	return rapid.Custom(func(t *rapid.T) event.Event {
		const different = 5
		return Event(channel, rapid.SampledFrom(conversations).Draw(t, "conversation"), rapid.IntRange(1, different).Draw(t, "n"))
	})
}

func accepts() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		const most = 5
		channel := channels().Draw(t, "channel")
		return accept{channel, rapid.SliceOfN(events(channel), 1, most).Draw(t, "batch")}
	})
}

// crowds generates a batch of more events of one lane than a store may want to keep in memory.
func crowds() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		const from, to = 100, 170
		a := accept{channel: channels().Draw(t, "channel")}
		conversation := rapid.SampledFrom(conversations).Draw(t, "conversation")
		for n := from; n < to; n++ {
			a.batch = append(a.batch, Event(a.channel, conversation, n))
		}
		return a
	})
}

func togethers(of *rapid.Generator[operation]) *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		const least, most = 2, 3
		return together{rapid.SliceOfN(of, least, most).Draw(t, "calls")}
	})
}

func claims() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		return claim{channels().Draw(t, "channel"), rapid.SampledFrom([]int{allOfThem, allOfThem, 1, 2, 3}).Draw(t, "limit")}
	})
}

// verdicts generates all of them. Dead is frequent, since much can happen after it.
func verdicts() *rapid.Generator[inbox.Verdict] {
	return rapid.Custom(func(t *rapid.T) inbox.Verdict {
		return rapid.SampledFrom([]inbox.Verdict{
			inbox.Taken{}, inbox.Dead{Reason: "HTTP 422"}, inbox.Dead{Reason: "HTTP 422"}, inbox.Dead{Reason: "HTTP 410"}, inbox.Released{},
			inbox.Retry{}, inbox.Retry{After: time.Hour}, inbox.Retry{After: 2 * perJump},
			inbox.Retry{After: inbox.Never},
		}).Draw(t, "verdict")
	})
}

// places generates a place in a list of any length.
func places() *rapid.Generator[int] { return rapid.IntRange(0, 5) }

func settles() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		return settle{places().Draw(t, "which"), verdicts().Draw(t, "verdict")}
	})
}

func delivers() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		const mostRounds = 3
		return deliver{channels().Draw(t, "channel"), rapid.IntRange(1, mostRounds).Draw(t, "rounds"), verdicts().Draw(t, "verdict")}
	})
}

// repeats generates what changes nothing.
func repeats() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		return rapid.OneOf(
			rapid.Custom(func(t *rapid.T) operation { return again{places().Draw(t, "which"), verdicts().Draw(t, "verdict")} }),
			rapid.Custom(func(t *rapid.T) operation { return reconsume{channels().Draw(t, "channel")} }),
			rapid.Just[operation](renew{}),
		).Draw(t, "operation")
	})
}

func ends() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		return end{
			channel: channels().Draw(t, "channel"), redrive: rapid.Bool().Draw(t, "redrive"),
			which:   rapid.SampledFrom([][]int{nil, nil, nil, {0}, {1}, {1, 0}, {2, 4}}).Draw(t, "which"),
			unknown: rapid.SampledFrom([]bool{false, false, false, true}).Draw(t, "unknown"),
		}
	})
}

func configures() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		return configure{channels().Draw(t, "channel"), inbox.Settings{
			Ordering:            rapid.SampledFrom([]inbox.Ordering{inbox.PerConversation, inbox.Unordered}).Draw(t, "ordering"),
			Paused:              rapid.Bool().Draw(t, "paused"),
			DeadLetterRetention: rapid.SampledFrom([]time.Duration{0, time.Hour, Window}).Draw(t, "retention"),
		}}
	})
}

// spans generates times around those at which something ends.
func spans() *rapid.Generator[time.Duration] {
	return rapid.SampledFrom([]time.Duration{
		time.Second, time.Hour, time.Hour + 1, Window - time.Hour, Window - 1, Window, Window + 1, 2 * perJump,
	})
}

// jumpsBy generates by how much a clock is set.
func jumpsBy() *rapid.Generator[time.Duration] {
	const year = 365 * 24 * time.Hour
	return rapid.SampledFrom([]time.Duration{
		0, time.Hour, -time.Hour, perJump + time.Hour, -2 * perJump, 10 * year, -60 * year,
	})
}

func clocks() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		return rapid.OneOf(
			rapid.Custom(func(t *rapid.T) operation { return advance{spans().Draw(t, "time")} }),
			rapid.Custom(func(t *rapid.T) operation { return set{jumpsBy().Draw(t, "by")} }),
			rapid.Just[operation](expiry{}),
		).Draw(t, "operation")
	})
}

func downtimes() *rapid.Generator[downtime] {
	return rapid.Custom(func(t *rapid.T) downtime {
		return downtime{jumpsBy().Draw(t, "shows"), rapid.Bool().Draw(t, "machine")}
	})
}

func restarts() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation { return restart{downtimes().Draw(t, "downtime")} })
}

func cuts(during *rapid.Generator[operation]) *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		const mostSyncs = 8
		return cut{
			during: during.Draw(t, "during"), sync: rapid.IntRange(1, mostSyncs).Draw(t, "sync"),
			kept: rapid.SampledFrom([]int{0, 30, 100}).Draw(t, "kept"), seed: rapid.Uint64().Draw(t, "seed"),
			downtime: downtimes().Draw(t, "downtime"),
		}
	})
}

func fills() *rapid.Generator[operation] {
	return rapid.Custom(func(t *rapid.T) operation {
		return fill{rapid.SampledFrom([]error{nil, inbox.ErrFull, inbox.ErrDiskFull}).Draw(t, "why")}
	})
}

// bodies names the events of a batch, and of a long one its ends.
func bodies(batch []event.Event) string {
	const few = 10
	var names []string
	for _, e := range batch {
		names = append(names, string(e.Body))
	}
	if len(names) > few {
		names = []string{names[0], "to", names[len(names)-1]}
	}
	return strings.Join(names, " ")
}
