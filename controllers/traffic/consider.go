package traffic

import (
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// rewordAfter is how often a status is given other words, numbers and times at most,
// while its conditions stay what they are.
const rewordAfter = 10 * time.Minute

// news is what one poll said that is other than what stands.
type news struct {
	// outlines are those of the conditions that are others now, by their types.
	outlines map[string]string
	// numbers are those of a backlog that is another one now.
	numbers *[2]int64
}

// consider compares an assessment with the one that stands, and with the news of the last
// poll. A condition that is another one, and a number that is far from what stands,
// count once two polls agree on them: one that comes and goes holds up no other.
// adopted says that the status is to be written, again that the news are to be looked
// at soon.
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
