package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// What the marks in the log would give away.
const (
	// bodyMark is in the text of every event.
	bodyMark = "aaaaaaaaaaaaaaaa"
	// userMark begins every user's id.
	userMark = "6142494823"
)

// lastWords begin the only line that is not JSON: the command's own, when it fails.
const lastWords = "Error: "

// logJudge reads what the connector writes to stderr, line by line.
type logJudge struct {
	promises *promises
	// secrets may be in no line.
	secrets []string

	mu      sync.Mutex
	rest    []byte
	last    []string
	minutes map[int64]int
	latest  time.Time
}

// Write takes a part of the log; it never fails.
func (l *logJudge) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.judge(string(line))
		l.rest = rest
	}
}

func (l *logJudge) judge(line string) {
	l.minutes[time.Now().Unix()/60]++
	l.last = append(l.last[max(0, len(l.last)-9):], line)
	var entry struct{ Time time.Time }
	if err := json.Unmarshal([]byte(line), &entry); err != nil && !strings.HasPrefix(line, lastWords) {
		l.promises.brokenf(promiseLogJSON, "%q: %v", line, err)
	}
	if entry.Time.After(l.latest) {
		l.latest = entry.Time
	}
	for _, secret := range l.secrets {
		if strings.Contains(line, secret) {
			l.promises.brokenf(promiseLogSecrets, "%q in %q", secret, line)
		}
	}
}

// hide adds what may be in no line.
func (l *logJudge) hide(secrets ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.secrets = append(l.secrets, secrets...)
}

// killed forgets a line that a kill has cut short.
func (l *logJudge) killed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = nil
}

// end is the last lines.
func (l *logJudge) end() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.last, "\n")
}

// busiest is the largest number of lines in a minute.
func (l *logJudge) busiest() (most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, lines := range l.minutes {
		most = max(most, lines)
	}
	return most
}

// clock is the latest time that a line bears.
func (l *logJudge) clock() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest
}
