package webhook

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
)

// lines is a log, with the time of each line since start.
type lines struct {
	mu    sync.Mutex
	start time.Time
	all   []string
}

func (l *lines) write(_, args string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fmt.Sprintf("%v %s", time.Since(l.start), args))
}

func (l *lines) check(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if diff := cmp.Diff(want, l.all); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// line is what the log says at a time of a number of calls.
func line(at time.Duration, channelName, reason string, calls int) string {
	return fmt.Sprintf(`%v "level"=0 "msg"="calls refused" "channel"=%q "reason"=%q "calls"=%d`, at, channelName, reason, calls)
}

func inMinutes(t *testing.T, test func(r *repeats, l *lines)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		l := &lines{start: time.Now()}
		test(newRepeats(funcr.New(l.write, funcr.Options{})), l)
	})
}

// sleep lets the bubble's clock go on.
func sleep(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestRefusalsAreLoggedOnceAMinuteWithTheirNumber(t *testing.T) {
	inMinutes(t, func(r *repeats, l *lines) {
		for range 150 { // one a second
			r.note("chat/a", "signature_wrong")
			sleep(time.Second)
		}
		sleep(time.Hour)
		l.check(t,
			line(0, "chat/a", "signature_wrong", 1),
			line(time.Minute, "chat/a", "signature_wrong", 59),
			line(2*time.Minute, "chat/a", "signature_wrong", 60),
			line(3*time.Minute, "chat/a", "signature_wrong", 30),
		)
	})
}

func TestEachKindOfRefusalHasALine(t *testing.T) {
	inMinutes(t, func(r *repeats, l *lines) {
		r.note("", "key")
		sleep(30 * time.Second)
		r.note("chat/a", "key")
		r.note("chat/a", "busy")
		r.note("", "key")
		sleep(30 * time.Second)
		l.check(t, line(0, "", "key", 1), line(30*time.Second, "chat/a", "key", 1),
			line(30*time.Second, "chat/a", "busy", 1), line(time.Minute, "", "key", 1))
	})
}

// TestAQuietKindIsForgotten: then the next refusal is logged at once.
func TestAQuietKindIsForgotten(t *testing.T) {
	inMinutes(t, func(r *repeats, l *lines) {
		r.note("chat/a", "busy")
		sleep(2 * time.Minute)
		if len(r.kinds) > 0 || r.timer != nil {
			t.Errorf("%d kinds, timer %v", len(r.kinds), r.timer)
		}
		r.note("chat/a", "busy")
		l.check(t, line(0, "chat/a", "busy", 1), line(2*time.Minute, "chat/a", "busy", 1))
	})
}

func TestTheEndLogsWhatIsHeld(t *testing.T) {
	inMinutes(t, func(r *repeats, l *lines) {
		for range 4 {
			r.note("chat/a", "busy")
		}
		r.note("chat/b", "busy")
		r.end()
		r.end()
		sleep(time.Hour)
		l.check(t, line(0, "chat/a", "busy", 1), line(0, "chat/b", "busy", 1), line(0, "chat/a", "busy", 3))
	})
}

func TestNoRefusalIsLost(t *testing.T) {
	inMinutes(t, func(r *repeats, l *lines) {
		var callers sync.WaitGroup
		for n := range 8 {
			callers.Go(func() {
				for i := range 100 {
					r.note(fmt.Sprint("chat/", i%5), "busy")
					<-time.After(time.Duration(n+1) * 77 * time.Millisecond)
				}
			})
		}
		callers.Wait()
		r.end()
		l.mu.Lock()
		defer l.mu.Unlock()
		total := 0
		for _, line := range l.all {
			var calls int
			if _, err := fmt.Sscanf(line[strings.LastIndex(line, " ")+1:], `"calls"=%d`, &calls); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			total += calls
		}
		if total != 800 {
			t.Errorf("%d of 800 refusals are in %d lines", total, len(l.all))
		}
	})
}
