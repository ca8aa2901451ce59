package process

import (
	"os/exec"
	"testing"
)

// TestUsage: usage is read while the process lives, and is an error afterwards.
func TestUsage(t *testing.T) {
	p, err := Start(exec.Command("sleep", "600"))
	if err != nil {
		t.Fatal(err)
	}
	used, err := p.Usage()
	if err != nil || used.Resident <= 0 || used.Peak < used.Resident || used.Files == 0 {
		t.Errorf("%+v, %v", used, err)
	}
	if p.Ended() {
		t.Error("it has ended by itself")
	}
	p.Kill()
	if _, err := p.Usage(); err == nil || !p.Ended() {
		t.Error("a killed process is still there")
	}
	if _, err := FamilyProcessors(); err != nil {
		t.Error(err)
	}
}
