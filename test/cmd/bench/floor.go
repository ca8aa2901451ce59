package main

import (
	"bytes"
	"io"
	"net/http"
	"os"

	"xbot.a4b.vn/channel-connector/connector/channel/zalo"
	"xbot.a4b.vn/channel-connector/test/kit/example"
)

// floorSettings are the URL of the sink, and the path of the file.
type floorSettings struct{ Sink, File string }

// floor does the least that an answer of 200 and a delivery take: it reads the call, checks its SHA-256, appends it to
// one file with an fsync that all waiting calls share, and posts it on with net/http. It has no queue on disk, no
// order, no duplicates, no retry and no bound, and nothing of it survives a restart.
type floor struct {
	sink    string
	file    *os.File
	appends chan appended
	forward chan []byte
}

const (
	// forwarders are as many as the connector has deliveries under way by default.
	forwarders = 64
	// mostForwards is more than a round has: no accepted event waits for the sink.
	mostForwards = 1 << 18
)

// appended is a body that waits for its fsync.
type appended struct {
	body []byte
	done chan error
}

// runFloor is the floor's process: it starts the committer and the forwarders, and serves.
func runFloor(s floorSettings, answer func(any) error, dismissed <-chan struct{}) error {
	file, err := os.Create(s.File)
	if err != nil {
		return err
	}
	f := &floor{sink: s.Sink, file: file, appends: make(chan appended, 1024), forward: make(chan []byte, mostForwards)}
	go f.commit()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: forwarders}}
	for range forwarders {
		go f.post(client)
	}
	return serve(f, answer, dismissed)
}

// ServeHTTP answers 200 once the body is on disk.
func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !signed(body, r.Header.Get(zalo.SignatureHeader)) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	a := appended{body: body, done: make(chan error, 1)}
	f.appends <- a
	if err := <-a.done; err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	f.forward <- body
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(accepted)
}

func signed(body []byte, signature string) bool {
	_, rest, _ := bytes.Cut(body, []byte(`"timestamp":"`))
	timestamp, _, _ := bytes.Cut(rest, []byte(`"`))
	return signature == zalo.Sign(example.AppID, body, string(timestamp), secret)
}

// commit writes and syncs everything that came during the previous sync.
func (f *floor) commit() {
	var group []appended
	var text []byte
	for a := range f.appends {
		group, text = append(group[:0], a), append(text[:0], a.body...)
		for range len(f.appends) {
			a := <-f.appends
			group, text = append(group, a), append(text, a.body...)
		}
		_, err := f.file.Write(text)
		if err == nil {
			err = f.file.Sync()
		}
		for _, a := range group {
			a.done <- err
		}
	}
}

// post hands on one event after the other. An event that the sink refuses is lost, which ends the benchmark: it waits
// for all of them.
func (f *floor) post(client *http.Client) {
	for body := range f.forward {
		resp, err := client.Post(f.sink, "application/json", bytes.NewReader(body))
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}
