package process

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/prometheus/procfs"
)

// Usage is a process's share of the machine; Linux only.
type Usage struct {
	// Resident is its present memory, and Peak the highest, in MiB.
	Resident, Peak float64
	// Processors is its processor time.
	Processors time.Duration
	// Files is the number of its open files.
	Files int
}

// Usage reads the usage while the process lives.
func (p *Process) Usage() (Usage, error) {
	proc, err := procfs.NewProc(p.PID())
	if err != nil {
		return Usage{}, err
	}
	status, statusErr := proc.NewStatus()
	stat, statErr := proc.Stat()
	files, filesErr := proc.FileDescriptorsLen()
	return Usage{mib(status.VmRSS), mib(status.VmHWM), processors(stat), files}, errors.Join(statusErr, statErr, filesErr)
}

func mib(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

func processors(stat procfs.ProcStat) time.Duration {
	return time.Duration(stat.CPUTime() * float64(time.Second))
}

// ResetPeak sets the peak to the present memory.
func (p *Process) ResetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.PID()), []byte("5"), 0) // see proc(5)
}

// FamilyProcessors returns the processor time of this process and its children. On a busy machine it tells how long
// something would take on an idle one.
func FamilyProcessors() (sum time.Duration, err error) {
	all, err := procfs.AllProcs()
	for _, proc := range all {
		stat, err := proc.Stat()
		if err == nil && (stat.PID == os.Getpid() || stat.PPID == os.Getpid()) { // it may have ended
			sum += processors(stat)
		}
	}
	return sum, err
}
