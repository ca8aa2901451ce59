package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// Texts that may be in no line of the log.
const (
	// bodyMark is in the text of every event.
	bodyMark = "aaaaaaaaaaaaaaaa"
	// userMark begins every user's id.
	userMark = "6142494823"
)

// lastWords begin the only line that is not JSON: the command's own error.
const lastWords = "Error: "

// logJudge reads the connector's stderr, line by line.
type logJudge struct {
	promises *promises

	mu sync.Mutex
	// secrets may be in no line.
	secrets []string
	rest    []byte
	last    []string
	// minute is that of the latest line, lines is their number in it.
	minute int64
	lines  int
	seen   seen
}

// seen is what the log shows.
type seen struct {
	// busiest is the largest number of lines in a minute.
	busiest int
	// latest is the latest time of a line.
	latest time.Time
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
	if minute := time.Now().Unix() / 60; minute != l.minute {
		l.minute, l.lines = minute, 0
	}
	l.lines++
	l.seen.busiest = max(l.seen.busiest, l.lines)
	l.last = append(l.last[max(0, len(l.last)-9):], line)
	var entry struct{ Time time.Time }
	if err := json.Unmarshal([]byte(line), &entry); err != nil && !strings.HasPrefix(line, lastWords) {
		l.promises.brokenf(promiseLogJSON, "%q: %v", line, err)
	}
	if entry.Time.After(l.seen.latest) {
		l.seen.latest = entry.Time
	}
	for _, secret := range l.secrets {
		if strings.Contains(line, secret) {
			l.promises.brokenf(promiseLogSecrets, "%q in %q", secret, line)
		}
	}
}

// hide adds texts that may be in no line.
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

// shows returns what was seen so far.
func (l *logJudge) shows() seen {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seen
}
