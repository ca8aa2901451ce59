package traffic

import (
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// rewordAfter is how often, at most, a status gets other words, numbers and times while its conditions keep their
// status and reason.
const rewordAfter = 10 * time.Minute

// news is the difference of one poll from the status.
type news struct {
	// outlines are those of the conditions that differ, by their types.
	outlines map[string]string
	// numbers are those of a backlog that differs.
	numbers *[2]int64
}

// consider compares an assessment with the standing one, and with the news of the last poll. A condition that differs,
// and a number that is far off, count once two polls agree on it; if it comes and goes, it holds up no other. adopted
// reports whether the status is to be written; again, whether the news are to be confirmed soon.
func (p *Poller) consider(key client.ObjectKey, v, standing Assessment) (adopted, again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.known[key]
	switch {
	case w == nil:
		return false, false
	case v.equal(standing):
		w.news, w.adopted = news{}, nil
		return false, false
	case len(standing.Conditions) == 0:
		w.adopted = &v
		return true, false
	}
	now, next, changed := p.Clock.Now(), newsOf(v, standing), false
	for kind, outline := range next.outlines {
		if w.news.outlines[kind] == outline {
			changed = true
		} else {
			v, again = v.with(kind, standing), true
		}
	}
	switch {
	case next.numbers == nil:
	case w.news.numbers != nil && near(next.numbers[0], w.news.numbers[0]) && near(next.numbers[1], w.news.numbers[1]):
		changed = true
	default:
		v, again = v.withNumbers(standing), true
	}
	w.news = next
	// That a key has verified a call is never taken back.
	changed = changed || !slices.Equal(v.Traffic.VerifiedKeys, standing.Traffic.VerifiedKeys)
	if changed || !v.equal(standing) && now.Sub(w.worded) >= rewordAfter {
		w.adopted, w.worded = &v, now
		return true, again
	}
	w.adopted = nil
	return false, again
}

func newsOf(v, standing Assessment) (n news) {
	n.outlines = map[string]string{}
	for _, kind := range Types {
		if outline := v.outline(kind); outline != standing.outline(kind) {
			n.outlines[kind] = outline
		}
	}
	if !near(v.Traffic.Pending, standing.Traffic.Pending) || !near(v.Traffic.DeadLetters, standing.Traffic.DeadLetters) {
		n.numbers = &[2]int64{v.Traffic.Pending, v.Traffic.DeadLetters}
	}
	return n
}
