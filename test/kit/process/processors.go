package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticksPerSecond is the unit of times in /proc, see proc(5); it is 100 on every
// Linux that Go runs on.
const ticksPerSecond = 100

// Processors is the time that the process has had of the processors.
func (p *Process) Processors() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	if err != nil {
		return 0, err
	}
	s, err := parseStat(string(text))
	return s.used, err
}

// FamilyProcessors is what this process and its children have had of the processors. On
// a machine that is busy with other things it tells how long something would take on an
// idle one.
func FamilyProcessors() (time.Duration, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		s, err := parseStat(string(text))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		if s.id == os.Getpid() || s.parent == os.Getpid() {
			sum += s.used
		}
	}
	return sum, nil
}

// stat is what we read of /proc/<pid>/stat.
type stat struct {
	id, parent int
	used       time.Duration
}

func parseStat(text string) (stat, error) {
	// The second field is a name in parentheses, which may hold anything.
	end := strings.LastIndexByte(text, ')')
	id, _, _ := strings.Cut(text, " ")
	fields := append([]string{id}, strings.Fields(text[end+1:])...)
	const parent, user, system = 2, 12, 13 // in fields
	if len(fields) <= system {
		return stat{}, fmt.Errorf("want at least %d fields, not %d", system, len(fields))
	}
	var numbers [system + 1]int
	for _, i := range []int{0, parent, user, system} {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			return stat{}, err
		}
		numbers[i] = n
	}
	ticks := numbers[user] + numbers[system]
	return stat{id: numbers[0], parent: numbers[parent], used: time.Duration(ticks) * time.Second / ticksPerSecond}, nil
}
