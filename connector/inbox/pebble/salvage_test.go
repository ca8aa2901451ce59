package pebble_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"xbot.a4b.vn/channel-connector/connector/event"
	"xbot.a4b.vn/channel-connector/connector/inbox/pebble/examine"
)

// compare reports events that were exported and must not be, or differ, or are out of order, and returns those that are
// missing.
func (x *examination) compare(d *diskStore) (missing []event.ID) {
	d.Helper()
	place := make(map[event.ID]int)
	for _, channel := range diskChannels {
		for i, id := range d.stored[channel] {
			place[id] = i
		}
	}
	found := make(map[event.ID]bool)
	last := make(map[string]int)
	for _, e := range x.exported {
		want, kept := d.want[e.Event.ID]
		if !kept {
			d.Errorf("exported an event that was delivered")
			continue
		}
		want.Attempts = e.Attempts // what counts them may be damaged
		// Only what differs is worth a diff: it is slow.
		if !reflect.DeepEqual(inUTC(want), inUTC(e)) {
			d.Errorf("exported (-want +got):\n%s", cmp.Diff(want, e, sameEvent))
		}
		if found[e.Event.ID] = true; e.Dead {
			continue
		}
		if place[e.Event.ID] < last[e.Event.Channel] {
			d.Errorf("exported out of order")
		}
		last[e.Event.Channel] = place[e.Event.ID]
	}
	for id := range d.want {
		if !found[id] {
			missing = append(missing, id)
		}
	}
	return missing
}

// inUTC lets events be compared that differ in their times' locations only.
func inUTC(e examine.Exported) examine.Exported {
	for _, t := range []*time.Time{&e.Event.Time, &e.AcceptedAt, &e.DiedAt} {
		*t = t.UTC()
	}
	return e
}

// TestDamageThatLosesNothing harms what can be done without.
func TestDamageThatLosesNothing(t *testing.T) {
	whole := newDiskStore(t)
	whole.fill()
	for name, harm := range map[string]func(*diskStore){
		"manifest flipped":       func(d *diskStore) { d.edit(d.manifest(), flip(0.3)) },
		"manifest cut":           func(d *diskStore) { d.edit(d.manifest(), func(b []byte) []byte { return b[:len(b)/3] }) },
		"manifest lost":          func(d *diskStore) { d.remove(d.manifest()) },
		"manifest's marker lost": func(d *diskStore) { d.remove(d.largest("marker.manifest.*")) },
		"marker of the format":   func(d *diskStore) { d.remove(d.largest("marker.format-version.*")) },
		"options of another store": func(d *diskStore) {
			d.edit(d.largest("OPTIONS-*"), func([]byte) []byte { return []byte("[Options]\n  comparer=other\n") })
		},
		"nothing but tables, logs": func(d *diskStore) { d.dropAllButData() },
	} {
		t.Run(name, func(t *testing.T) {
			d := whole.copy(t)
			harm(d)
			x := d.examine()
			if missing := x.compare(d); len(missing) > 0 {
				t.Errorf("%d of %d events are missing", len(missing), len(d.want))
			}
			if len(x.findings) == 0 || len(x.checked) == 0 {
				t.Errorf("the damage was not reported: export %d, check %d findings", len(x.findings), len(x.checked))
			}
		})
	}
}

func (d *diskStore) dropAllButData() {
	for name := range d.files() {
		if ext := filepath.Ext(name); ext != ".sst" && ext != ".log" {
			d.remove(filepath.Join(d.path, name))
		}
	}
}

// TestDamagedBlocks flips bytes in tables: only what is in those blocks is lost.
func TestDamagedBlocks(t *testing.T) {
	whole := newDiskStore(t)
	whole.fill()
	for name, also := range map[string]func(*diskStore){
		"of a store that opens":         func(*diskStore) {},
		"of a store that does not open": func(d *diskStore) { d.remove(d.manifest()) },
	} {
		t.Run(name, func(t *testing.T) {
			d := whole.copy(t)
			table := d.largest("*.sst")
			d.edit(table, flip(0.3, 0.5, 0.7))
			also(d)
			x := d.examine()
			missing := x.compare(d)
			// A block is a little larger than 4 KiB, an event at least 300 bytes.
			if len(missing) == 0 || len(missing) > 3*(4096/300+2) {
				t.Errorf("%d of %d events are missing, want those of three blocks", len(missing), len(d.want))
			}
			if !names(x.findings, filepath.Base(table)) || !names(x.checked, filepath.Base(table)) {
				t.Errorf("no finding names the table: %+v", x.findings)
			}
			if !names(x.findings, "cannot be read") {
				t.Errorf("no finding counts what is lost: %+v", x.findings)
			}
		})
	}
}

// TestEveryByteOfATable flips bytes all over a table, so that its every part is hit: reading on never fails, and never
// makes anything up.
func TestEveryByteOfATable(t *testing.T) {
	d := newDiskStore(t)
	d.fill()
	table := d.largest("*.sst")
	whole, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	const probes = 12
	for i := range probes + 1 {
		content := bytes.Clone(whole)
		// Half of the probes go to the end, where the small parts are.
		at := i * (len(content) - 1) / probes
		if i%2 == 1 {
			at = len(content) - 1 - i*100
		}
		content[at] ^= 0xff
		if err := os.WriteFile(table, content, 0o600); err != nil {
			t.Fatal(err)
		}
		x := d.examine()
		x.compare(d)
	}
}

// TestLostTable deletes or cuts the table: what the log holds is saved.
func TestLostTable(t *testing.T) {
	whole := newDiskStore(t)
	whole.open()
	whole.accept(50)
	whole.close()
	whole.flush()
	whole.open()
	whole.accept(50)
	whole.close()
	for name, harm := range map[string]func(d *diskStore, table string){
		"deleted": func(d *diskStore, table string) { d.remove(table) },
		"cut":     func(d *diskStore, table string) { d.edit(table, func(b []byte) []byte { return b[:len(b)/2] }) },
		"emptied": func(d *diskStore, table string) { d.edit(table, func([]byte) []byte { return nil }) },
	} {
		t.Run(name, func(t *testing.T) {
			d := whole.copy(t)
			harm(d, d.largest("*.sst"))
			x := d.examine()
			missing := x.compare(d)
			if len(missing) != 50*len(diskChannels) {
				t.Errorf("%d of %d events are missing, want the first half", len(missing), len(d.want))
			}
			if len(x.findings) == 0 || len(x.checked) == 0 {
				t.Error("the damage was not reported")
			}
		})
	}
}

// TestDamagedLog flips bytes in the log: what it holds outside the damaged blocks is saved.
func TestDamagedLog(t *testing.T) {
	d := newDiskStore(t)
	d.open()
	d.accept(500)
	d.close()
	log := d.largest("*.log")
	d.edit(log, flip(0.4, 0.8))
	x := d.examine()
	missing := x.compare(d)
	// Two blocks of 32 KiB, each with the records that reach into it.
	if len(missing) == 0 || len(missing) > 2*(32<<10)/300+4 {
		t.Errorf("%d of %d events are missing, want those of two blocks", len(missing), len(d.want))
	}
	if !names(x.findings, filepath.Base(log)) {
		t.Errorf("no finding names the log: %+v", x.findings)
	}
}

// TestOverwrittenLog overwrites blocks near the end of the log, where Pebble sees no promise that there was anything.
func TestOverwrittenLog(t *testing.T) {
	d := newDiskStore(t)
	d.open()
	d.accept(500)
	d.close()
	d.edit(d.largest("*.log"), func(b []byte) []byte {
		clear(b[len(b)-(150<<10) : len(b)-(80<<10)])
		return b
	})
	x := d.examine()
	missing := x.compare(d)
	if len(missing) == 0 || len(missing) > (150<<10)/300 {
		t.Errorf("%d of %d events are missing, want those that were overwritten", len(missing), len(d.want))
	}
	newest := d.stored[diskChannels[1]][499]
	if slices.Contains(missing, newest) {
		t.Error("what follows the damage is not saved")
	}
	if len(x.findings) == 0 || len(x.checked) == 0 {
		t.Error("the damage was not reported")
	}
}

// TestCutLog: the end of the newest log is missed even where it looks like a write that a crash cut short.
func TestCutLog(t *testing.T) {
	d := newDiskStore(t)
	d.open()
	d.accept(200)
	d.close()
	d.edit(d.largest("*.log"), func(b []byte) []byte { return b[:len(b)/2] })
	x := d.examine()
	missing := x.compare(d)
	if n := len(d.want); len(missing) < n/4 || len(missing) > 3*n/4 {
		t.Errorf("%d of %d events are missing, want about half", len(missing), n)
	}
	if !names(x.findings, "cut short") || !names(x.checked, "cut short") {
		t.Errorf("no finding says that the log is cut: %+v", x.findings)
	}
}

func names(findings []examine.Finding, text string) bool {
	return slices.ContainsFunc(findings, func(f examine.Finding) bool {
		return strings.Contains(f.Where+f.What+f.Meaning, text)
	})
}
