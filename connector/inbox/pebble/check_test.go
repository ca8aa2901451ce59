package pebble_test

import (
	"bytes"
	"testing"

	engine "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"xbot.a4b.vn/channel-connector/connector/inbox/pebble"
)

// TestCheckTiesBetweenRecords removes or changes single records of a store that is otherwise whole.
func TestCheckTiesBetweenRecords(t *testing.T) {
	whole := newDiskStore(t)
	whole.open()
	whole.accept(100)
	whole.work(3)
	whole.close()
	for name, tt := range map[string]struct {
		change func(*records)
		want   string
	}{
		"timer lost":         {func(r *records) { r.remove('t') }, "its timer is missing"},
		"lane lost":          {func(r *records) { r.remove('l') }, "its lane record is missing"},
		"lane damaged":       {func(r *records) { r.set('l', []byte{1, 0xff}) }, "damaged record"},
		"head's event lost":  {func(r *records) { r.remove('e') }, "its event is missing"},
		"event not counted":  {func(r *records) { r.remove('e') }, "pending events are counted"},
		"event damaged":      {func(r *records) { r.set('e', []byte{1, 2, 3}) }, "damaged record"},
		"event of a newer":   {func(r *records) { r.set('e', []byte{2}) }, "version 2"},
		"pointer lost":       {func(r *records) { r.remove('p') }, "its lane does not point to it"},
		"dead letter lost":   {func(r *records) { r.remove('x') }, "dead letters are counted"},
		"dead letter broken": {func(r *records) { r.set('x', nil) }, "damaged record"},
		"channel lost":       {func(r *records) { r.remove('c') }, "its name"},
		"id without time":    {func(r *records) { r.set('d', []byte{1}) }, "de-duplication time"},
		"schema lost":        {func(r *records) { r.remove('m') }, "was never an inbox"},
		"schema of a newer":  {func(r *records) { r.set('m', []byte{9}) }, "a newer release"},
		"clock lost":         {func(r *records) { r.remove('a') }, "no reading of the store's clock"},
		"clock damaged":      {func(r *records) { r.set('a', []byte{1, 0xff}) }, "damaged record"},
		"clock set back":     {func(r *records) { r.set('a', []byte{1, 2, 2, 2}) }, "the store's clock shows 1ns"},
		"key cut short":      {func(r *records) { r.add([]byte{'e', 1, 2}) }, "bytes long"},
		"unknown key":        {func(r *records) { r.add([]byte("zebra")) }, "another program"},
	} {
		t.Run(name, func(t *testing.T) {
			d := whole.copy(t)
			d.alter(tt.change)
			x := d.examine()
			if !names(x.checked, tt.want) {
				t.Errorf("no finding says %q: %+v", tt.want, x.checked)
			}
		})
	}
}

// alter changes records behind the store's back.
func (d *diskStore) alter(change func(*records)) {
	d.Helper()
	db, err := engine.Open(d.path, &engine.Options{
		FS: pebble.Guarded(vfs.Default), FormatMajorVersion: engine.FormatWALSyncChunks, Logger: quiet{},
	})
	if err != nil {
		d.Fatal(err)
	}
	change(&records{d.T, db})
	if err := db.Close(); err != nil {
		d.Fatal(err)
	}
}

// quiet is a logger that says nothing.
type quiet struct{}

func (quiet) Infof(string, ...any)           {}
func (quiet) Errorf(string, ...any)          {}
func (quiet) Fatalf(format string, _ ...any) { panic(format) }

// records are a store's, laid bare.
type records struct {
	*testing.T
	db *engine.DB
}

// first is the first key of a prefix.
func (r *records) first(prefix byte) []byte {
	r.Helper()
	it, err := r.db.NewIter(&engine.IterOptions{LowerBound: []byte{prefix}, UpperBound: []byte{prefix + 1}})
	if err != nil {
		r.Fatal(err)
	}
	defer it.Close()
	if !it.First() {
		r.Fatalf("no record %c", prefix)
	}
	return bytes.Clone(it.Key())
}

func (r *records) remove(prefix byte) {
	r.Helper()
	if err := r.db.Delete(r.first(prefix), engine.Sync); err != nil {
		r.Fatal(err)
	}
}

func (r *records) set(prefix byte, value []byte) {
	r.Helper()
	if err := r.db.Set(r.first(prefix), value, engine.Sync); err != nil {
		r.Fatal(err)
	}
}

func (r *records) add(key []byte) {
	r.Helper()
	if err := r.db.Set(key, nil, engine.Sync); err != nil {
		r.Fatal(err)
	}
}

// TestEventsOfALostChannelAreExported: events of a channel whose record is lost are exported under its digest.
func TestEventsOfALostChannelAreExported(t *testing.T) {
	d := newDiskStore(t)
	d.open()
	d.accept(5)
	d.close()
	d.alter(func(r *records) { r.remove('c') })
	x := d.examine()
	named := 0
	for _, e := range x.exported {
		if e.Event.Channel == diskChannels[0] || e.Event.Channel == diskChannels[1] {
			named++
		}
	}
	if len(x.exported) != 10 || named != 5 {
		t.Errorf("exported %d events, %d under a channel's name; want 10 and 5", len(x.exported), named)
	}
}
