package pebble_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/examine"
)

func TestExaminingASoundStore(t *testing.T) {
	d := newDiskStore(t)
	d.fill()
	x := d.examine()
	if len(x.findings)+len(x.checked) > 0 {
		t.Errorf("findings in a sound store: %+v %+v", x.findings, x.checked)
	}
	want := d.wanted()
	if diff := cmp.Diff(want, x.exported, sameEvent); diff != "" {
		t.Errorf("exported (-want +got):\n%s", diff)
	}
	var pending, dead int64
	for i, c := range x.channels {
		if c.Channel != diskChannels[i] || c.OldestPending.IsZero() || !c.NewestPending.After(c.OldestPending) {
			t.Errorf("summary %+v", c)
		}
		pending, dead = pending+c.Pending, dead+c.DeadLetters
	}
	if int(pending+dead) != len(want) || dead == 0 {
		t.Errorf("summaries count %d pending and %d dead, want %d in all", pending, dead, len(want))
	}
}

// TestStoreInUse: a running connector's store is left alone.
func TestStoreInUse(t *testing.T) {
	d := newDiskStore(t)
	d.open()
	d.accept(1)
	d.close()
	holder := exec.Command(os.Args[0], "-test.run=^TestHoldStore$", "-test.v")
	holder.Env = append(os.Environ(), "HOLD_STORE="+d.path)
	in, err := holder.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "the store is open" {
		continue
	}
	ignore := examine.Observer{Finding: func(examine.Finding) {}, Progress: func(int) {}}
	if _, err := examine.Check(t.Context(), d.path, ignore); !errors.Is(err, examine.ErrInUse) {
		t.Errorf("check: %v", err)
	}
	_, err = examine.Export(t.Context(), d.path, ignore, func(examine.Exported) error { return nil })
	if !errors.Is(err, examine.ErrInUse) {
		t.Errorf("export: %v", err)
	}
	in.Close()
	_, _ = io.Copy(io.Discard, out) // until it ends
	if err := holder.Wait(); err != nil {
		t.Fatal(err)
	}
	if x := d.examine(); len(x.exported) != len(diskChannels) {
		t.Errorf("exported %d events once it was stopped", len(x.exported))
	}
}

// TestHoldStore is the other process of TestStoreInUse.
func TestHoldStore(t *testing.T) {
	path := os.Getenv("HOLD_STORE")
	if path == "" {
		t.Skip("started by TestStoreInUse only")
	}
	d := newDiskStore(t)
	d.path = path
	d.open()
	fmt.Fprintln(os.Stdout, "the store is open")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test closes it
	d.close()
}

func TestNoStore(t *testing.T) {
	ignore := examine.Observer{Finding: func(examine.Finding) {}, Progress: func(int) {}}
	for name, path := range map[string]string{"empty folder": t.TempDir(), "no folder": filepath.Join(t.TempDir(), "none")} {
		if _, err := examine.Check(t.Context(), path, ignore); err == nil || !strings.Contains(err.Error(), "holds no inbox") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestExportEndsWithItsCaller: neither a full disk nor Ctrl-C is damage.
func TestExportEndsWithItsCaller(t *testing.T) {
	d := newDiskStore(t)
	d.fill()
	var findings []examine.Finding
	observe := examine.Observer{Finding: func(f examine.Finding) { findings = append(findings, f) }, Progress: func(int) {}}
	full := errors.New("disk full")
	if _, err := examine.Export(t.Context(), d.path, observe, func(examine.Exported) error { return full }); !errors.Is(err, full) {
		t.Errorf("export: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := examine.Export(ctx, d.path, observe, func(examine.Exported) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || len(findings) > 0 {
		t.Errorf("export: %v, findings %v", err, findings)
	}
}
