package main

import (
	"strings"
	"testing"
	"time"

	"xbot.a4b.vn/channel-connector/test/kit/process"
)

// A small attack of each kind runs, and its calls are tried. How fast they are answered is for the command to judge, on
// a quiet machine.
func TestFlood(t *testing.T) {
	folder := t.TempDir()
	binary, err := process.Build(t.Context(), folder, "connector")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []flood{
		{name: "held", with: []string{"silent", "half a header"}, held: 60, perSecond: 50},
		{name: "slow handshakes", with: []string{"half a handshake"}, held: 20, perSecond: 20, secure: true},
		{name: "scrapes", with: []string{"a scrape"}, held: 20, perSecond: 20},
	} {
		r := (&stage{binary: binary, folder: folder, lasts: time.Second}).flood(t.Context(), a)
		if r.kept.calls == 0 || r.fresh.calls == 0 || r.kept.inTime == 0 || r.fresh.inTime == 0 || r.peakMiB < 1 || r.died {
			t.Errorf("%v", r)
		}
	}
}

func TestMet(t *testing.T) {
	good := result{attack: "a", kept: tried{calls: 1000, inTime: 999}, fresh: tried{calls: 10, inTime: 10}, peakMiB: 199}
	for name, tc := range map[string]struct {
		change func(*result)
		met    bool
		shows  string
	}{
		"good":             {func(*result) {}, true, "999 of 1000 (99.90 %)"},
		"kept ones late":   {func(r *result) { r.kept.inTime-- }, false, "99.80 %"},
		"a fresh one late": {func(r *result) { r.fresh.inTime-- }, false, "9 of 10"},
		"no calls":         {func(r *result) { r.fresh = tried{} }, false, "0 of 0 (0.00 %)"},
		"too much memory":  {func(r *result) { r.peakMiB = askedMiB }, false, "200 MiB"},
		"killed":           {func(r *result) { r.died = true }, false, "killed"},
	} {
		r := good
		tc.change(&r)
		if r.met() != tc.met || !strings.Contains(r.String(), tc.shows) {
			t.Errorf("%s: met %v: %v", name, r.met(), r)
		}
	}
}

func TestHeaderLines(t *testing.T) {
	for _, a := range floods {
		for _, name := range a.with {
			s, known := strangers[name]
			if !known {
				t.Fatalf("%s: there is no stranger %q", a.name, name)
			}
			if strings.Contains(s.hello(1), "\r\n\r\n") && !s.metrics && name != "a wrong key" {
				t.Errorf("%s: the header has an end", a.name)
			}
		}
	}
	if text := headerLines(20_000, "k%d:\n"); len(text) < 20_000 || len(text) > 20_100 {
		t.Errorf("%d bytes", len(text))
	}
}
