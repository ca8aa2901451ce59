package crash

import (
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/connector/admin"
	"xbot.a4b.vn/channel-connector/test/kit/traffic"
)

// kills is how often the connector is killed in one test.
const kills = 52

// TestCrash kills a connector under load again and again. In the end every event that was answered 200 must be
// delivered or a dead letter, each conversation in order. Every repetition must be recognised.
func TestCrash(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	sink := newSink(t, seed)
	c := newConnector(t, sink.url, filepath.Join(t.TempDir(), "inbox"), "1Gi")
	l := newLoad(t, c.pushURL(), 0, "")
	l.start(seed)
	killAgainAndAgain(c, sink, rand.New(rand.NewPCG(seed, 2)))
	c.start()
	c.ready()
	l.Finish()
	sink.kind.Store(true)
	c.drained()
	checkOutcome(t, c, l, sink)
	checkRecognised(t, c, l)
	c.stop()
}

// killAgainAndAgain kills mostly under load, and sometimes during the start.
func killAgainAndAgain(c *connector, s *sink, random *rand.Rand) {
	for kill := range kills {
		c.start()
		moment := time.Duration(random.IntN(300)) * time.Millisecond
		if kill%5 != 0 {
			c.ready()
		}
		// This waits for no condition: the moment is random.
		<-time.After(moment)
		c.Kill()
		s.life.Add(1)
	}
}

// checkOutcome checks that every acknowledged event was taken or is a dead letter, and that only refused ones are.
func checkOutcome(t *testing.T, c *connector, l *load, s *sink) {
	l.checkCalls()
	refused := s.refused()
	var dead []traffic.Message
	for letter, err := range admin.NewClient(c.admin).DeadLetters(t.Context(), channel) {
		if err != nil {
			t.Fatal(err)
		}
		m, known := s.messages[letter.ID]
		if !known || !refused[m] {
			t.Errorf("dead letter %s (%v) was never refused", letter.ID, m)
		}
		dead = append(dead, m)
	}
	acknowledged := append(make([]int, l.First), l.Acknowledged()...)
	verdict := traffic.Judge(acknowledged, s.Arrivals(), dead...)
	for _, m := range verdict.Lost {
		t.Errorf("%v got a 200 and is neither taken nor a dead letter", m)
	}
	t.Logf("%d kills, %d events, %d sent twice, %d dead letters, %d attempts cut by a kill and repeated",
		kills, verdict.Acknowledged, l.again.Load(), len(dead), s.repeats)
	if verdict.Acknowledged < kills || l.again.Load() == 0 {
		t.Error("the load was too small to mean anything")
	}
}

// checkRecognised sends every event once more: each is answered 200 and none is stored, so none can be delivered.
func checkRecognised(t *testing.T, c *connector, l *load) {
	before := c.status()
	var posts sync.WaitGroup
	events := int64(0)
	for conversation, count := range l.Acknowledged() {
		events += int64(count)
		posts.Go(func() {
			for n := range count {
				if status, err := l.Repeat(t.Context(), traffic.Message{Conversation: conversation, N: n}); status != http.StatusOK {
					t.Errorf("sent again: %d, %v", status, err)
				}
			}
		})
	}
	posts.Wait()
	after := c.status()
	if after.Accepted != before.Accepted || after.Duplicates-before.Duplicates != events {
		t.Errorf("of %d events sent again %d were accepted and %d recognised",
			events, after.Accepted-before.Accepted, after.Duplicates-before.Duplicates)
	}
	if after.Taken != before.Taken || after.Pending != 0 {
		t.Errorf("%d were delivered again, %d are pending", after.Taken-before.Taken, after.Pending)
	}
}
