package process

import (
	"os"
	"time"

	"github.com/prometheus/procfs"
)

// Processors returns how much processor time the process has used.
func (p *Process) Processors() (time.Duration, error) {
	process, err := procfs.NewProc(p.PID())
	if err != nil {
		return 0, err
	}
	stat, err := process.Stat()
	return used(stat), err
}

// FamilyProcessors returns how much processor time this process and its children have used. On a machine that is busy
// with other things it tells how long something would take on an idle one.
func FamilyProcessors() (sum time.Duration, err error) {
	processes, err := procfs.AllProcs()
	for _, process := range processes {
		// A process that has ended meanwhile has no status.
		if stat, err := process.Stat(); err == nil && (stat.PID == os.Getpid() || stat.PPID == os.Getpid()) {
			sum += used(stat)
		}
	}
	return sum, err
}

func used(s procfs.ProcStat) time.Duration { return time.Duration(s.CPUTime() * float64(time.Second)) }
