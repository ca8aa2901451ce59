package pebble_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/go-logr/logr"

	"xbot.a4b.vn/channel-connector/connector/inbox"
	"xbot.a4b.vn/channel-connector/connector/inbox/inboxtest"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
	"xbot.a4b.vn/channel-connector/test/kit/poll"
)

// TestFlippedEndOfTheManifest: a restart makes the last record of the manifest name every table, so a bit that flips in
// it must not pass for a torn write.
func TestFlippedEndOfTheManifest(t *testing.T) {
	d := newDiskStore(t)
	d.open()
	d.accept(25)
	d.close()
	d.open()
	killed := d.copy(t) // as SIGKILL leaves it
	d.close()
	killed.edit(killed.manifest(), func(b []byte) []byte {
		b[len(b)-20] ^= 1
		return b
	})
	killed.refused("MANIFEST")
	x := killed.examine()
	if missing := x.compare(killed); len(missing) > 0 {
		t.Errorf("%d of %d events were not exported", len(missing), len(d.want))
	}
	if len(x.findings) == 0 || len(x.checked) == 0 {
		t.Errorf("the damage was not reported: export %d, check %d findings", len(x.findings), len(x.checked))
	}
}

// refused opens the store, which must not open, and must name a file.
func (d *diskStore) refused(file string) {
	d.Helper()
	o := options(d.T, d.clock, vfs.Default)
	o.Path, o.Log = d.path, logr.Discard()
	s, err := pebble.Open(o)
	switch {
	case err == nil:
		d.Errorf("the damage of %s went unnoticed", file)
		_ = s.Close()
	case !errors.Is(err, pebble.ErrDamaged), !strings.Contains(err.Error(), file), !strings.Contains(err.Error(), "connector inbox export"):
		d.Errorf("refused without naming damage, %s and what to do: %v", file, err)
	}
}

// awaitLedger waits until the ledger holds what was synced so far.
func (d *diskStore) awaitLedger() {
	d.Helper()
	name := filepath.Join(d.path, "LEDGER")
	read := func() string {
		content, err := os.ReadFile(name)
		if err != nil {
			d.Fatal(err)
		}
		return string(content)
	}
	before := read()
	poll.Until(d, "a newer ledger", func() bool { return read() != before })
}

// TestNewestLog harms the newest log of a store that was stopped, and of one that was killed a second after its last
// event.
func TestNewestLog(t *testing.T) {
	d := newDiskStore(t)
	d.open()
	d.accept(1)
	d.close()
	d.open() // with no checkpoint to make, which would be the end of the log
	d.accept(30)
	d.awaitLedger()
	killed := d.copy(t)
	d.close()
	harms := map[string]func([]byte) []byte{
		"emptied":                func([]byte) []byte { return nil },
		"cut at its beginning":   func(b []byte) []byte { return b[:40] },
		"cut at its end":         func(b []byte) []byte { return b[:len(strings.TrimRight(string(b), "\x00"))-100] },
		"flipped at its end":     flipBack(100),
		"flipped at its middle":  flip(0.5),
		"overwritten with zeros": func(b []byte) []byte { clear(b); return b },
		"an older copy":          func(b []byte) []byte { clear(b[len(b)/2:]); return b },
	}
	for of, whole := range map[string]*diskStore{"stopped": d, "killed": killed} {
		for how, harm := range harms {
			t.Run(of+", "+how, func(t *testing.T) {
				c := whole.copy(t)
				c.edit(c.largest("*.log"), harm)
				c.refused(".log")
				if x := c.examine(); len(x.findings) == 0 || len(x.checked) == 0 {
					t.Errorf("the damage was not reported: export %d, check %d findings", len(x.findings), len(x.checked))
				}
			})
		}
		t.Run(of+", deleted", func(t *testing.T) {
			c := whole.copy(t)
			c.remove(c.largest("*.log"))
			c.refused(".log")
		})
	}
}

// TestLedgerGoesOnWhileSpaceIsReclaimed holds up the flush with which a full store begins to reclaim space. What the
// log syncs meanwhile reaches the ledger.
func TestLedgerGoesOnWhileSpaceIsReclaimed(t *testing.T) {
	mem, flushing, goOn := vfs.NewMem(), make(chan struct{}), make(chan struct{})
	var full atomic.Bool
	once := sync.OnceFunc(func() { close(flushing) })
	fs := &failing{FS: errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpCreate && strings.HasSuffix(op.Path, ".sst") && full.Load() {
			once()
			<-goOn
		}
		return nil
	}))}
	fs.usage = func() (vfs.DiskUsage, error) {
		if full.Load() {
			return vfs.DiskUsage{TotalBytes: 1 << 40}, nil
		}
		return mem.GetDiskUsage("")
	}
	o := options(t, inboxtest.NewClock(), fs)
	o.Log = logr.Discard()
	s := open(t, o)
	defer func() { _ = s.Close() }()
	defer close(goOn)
	for n := range 2 {
		if err := accepts(t, s, n); err != nil {
			t.Fatal(err)
		}
	}
	full.Store(true)
	<-flushing
	settle := func() {
		if err := settle(t.Context(), s, claimOne(t, s), inbox.Taken{}); err != nil {
			t.Fatal(err)
		}
	}
	settle() // which begins another log, and brings it to the ledger
	before := readFile(t, mem, "inbox/LEDGER")
	settle()
	poll.Until(t, "what was synced in the ledger", func() bool { return !bytes.Equal(before, readFile(t, mem, "inbox/LEDGER")) })
}

// flipBack flips a bit so many bytes before the end of what was written.
func flipBack(n int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[len(strings.TrimRight(string(b), "\x00"))-n] ^= 1
		return b
	}
}

// TestLogBeyondTheLedger harms what was written since the ledger was: damage before the last two records is known by
// the records behind it. A record does not always know that the one before it was synced: Pebble wakes who waits for a
// sync before it notes how far that went.
func TestLogBeyondTheLedger(t *testing.T) {
	d := newDiskStore(t)
	d.open()
	d.accept(1)
	d.awaitLedger()
	ledger, err := os.ReadFile(filepath.Join(d.path, "LEDGER"))
	if err != nil {
		t.Fatal(err)
	}
	log := d.largest("*.log")
	size := func() int {
		content, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return len(strings.TrimRight(string(content), "\x00"))
	}
	from := size()
	d.accept(10)
	end := size()
	killed := d.copy(t)
	d.close()
	killed.edit(filepath.Join(killed.path, "LEDGER"), func([]byte) []byte { return ledger })
	const lastRecords = 2 * 1200 // more than the last two records, and far less than ten
	for at := from + 1; at < end-lastRecords; at += (end - from) / 20 {
		c := killed.copy(t)
		c.edit(c.largest("*.log"), func(b []byte) []byte { b[at] ^= 4; return b })
		c.refused(".log")
	}
	// The last record itself may have been torn by the crash.
	torn := killed.copy(t)
	torn.edit(torn.largest("*.log"), func(b []byte) []byte { b[end-10] ^= 4; return b })
	torn.flush()
}

// TestStoreOfAnotherLedger: files of another time do not pass for the store's.
func TestStoreOfAnotherLedger(t *testing.T) {
	d := newDiskStore(t)
	d.open()
	d.accept(5)
	d.close()
	older := d.copy(t)
	d.flush()
	for _, pattern := range []string{"LEDGER", "marker.manifest.*"} {
		c := d.copy(t)
		for _, name := range c.glob(pattern) {
			c.remove(name)
		}
		for _, name := range older.glob(pattern) {
			copyFile(t, name, filepath.Join(c.path, filepath.Base(name)))
		}
		c.refused("")
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
