package layout

import (
	"errors"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// TestForgottenOnDisk: a file that the ledger could not forget on a full disk is not removed when that is tried again,
// before the ledger on disk has forgotten it.
func TestForgottenOnDisk(t *testing.T) {
	const log = "000004.log"
	full := false
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if full && op.Kind == errorfs.OpFileWriteAt {
			return syscall.ENOSPC
		}
		return nil
	}))
	l, _, err := openLedger(fs, "")
	if err != nil {
		t.Fatal(err)
	}
	l.Attest(log, FilePrefix{})
	if err := l.Write(); err != nil {
		t.Fatal(err)
	}
	full = true
	for range 2 {
		if err := l.Forget(log); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("on a full disk: %v", err)
		}
	}
	full = false
	if err := errors.Join(l.Forget(log), l.Close()); err != nil {
		t.Fatal(err)
	}
	if l, _, err = openLedger(fs, ""); err != nil || l.has(log) {
		t.Errorf("the ledger on disk names what may be removed, error %v", err)
	}
}

// TestNewestLogByNumber: names have six digits until there are more.
func TestNewestLogByNumber(t *testing.T) {
	l := &Ledger{files: map[string]FilePrefix{"999998.log": {}, "1000000.log": {}, "999999.log": {}, "MANIFEST-1000001": {}}}
	if got := l.newestLog(); got != "1000000.log" {
		t.Errorf("the newest is %s", got)
	}
	l.files = map[string]FilePrefix{"MANIFEST-000001": {}}
	if got := l.newestLog(); got != "" {
		t.Errorf("the newest is %q of none", got)
	}
}
