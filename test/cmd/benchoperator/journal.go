package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What the audit log calls kinds.
const (
	kindConnector  = "channelconnectors"
	kindSecret     = "secrets"
	kindDeployment = "deployments"
	kindEvent      = "events"
)

// childKinds are the children of the benchmark's resources.
var childKinds = []string{kindSecret, "serviceaccounts", "persistentvolumeclaims", "services", kindDeployment}

// entry is what we read of one line of the audit log, see audit.k8s.io/v1.
type entry struct {
	User           struct{ Username string }
	Verb           string
	ObjectRef      struct{ Resource, Subresource, Namespace, Name string }
	ResponseStatus struct{ Code int }
	// RequestReceivedTimestamp is when the request came, StageTimestamp when it
	// was answered.
	RequestReceivedTimestamp, StageTimestamp time.Time
}

func (e *entry) key() client.ObjectKey {
	return client.ObjectKey{Namespace: e.ObjectRef.Namespace, Name: e.ObjectRef.Name}
}

// history is what was written of one resource.
type history struct {
	created time.Time
	// children says when each was first there.
	children map[string]time.Time
	// writes are the operator's, to the resource and its children; statuses are
	// those of them that were its status.
	writes, statuses int
}

// complete reports whether the resource has all of its children, and since when.
func (h *history) complete() (since time.Time, complete bool) {
	for _, at := range h.children {
		if at.After(since) {
			since = at
		}
	}
	return since, len(h.children) == len(childKinds)
}

// journal is what the audit log says.
type journal struct {
	mu        sync.Mutex
	resources map[client.ObjectKey]*history
	// deployments are in the order in which they were made.
	deployments []client.ObjectKey
	// secrets says when each was last written: received by whoever wrote it, and
	// answered.
	secrets map[client.ObjectKey]entry
	// counted are the operator's writes; events, which are no part of any
	// resource's state, are apart.
	counted, events int
	last            time.Time
	// refused is the number of the operator's writes that the API server refused.
	refused int
}

func newJournal() *journal {
	return &journal{resources: map[client.ObjectKey]*history{}, secrets: map[client.ObjectKey]entry{}}
}

// follow reads the log as it grows, until ctx ends.
func (j *journal) follow(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	reader, line := bufio.NewReader(file), []byte(nil)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		part, err := reader.ReadBytes('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			if err := j.read(line); err != nil {
				return err
			}
			line = line[:0]
			continue
		case !errors.Is(err, io.EOF):
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// read takes in one line.
func (j *journal) read(line []byte) error {
	var e entry
	if err := json.Unmarshal(bytes.TrimSpace(line), &e); err != nil {
		return fmt.Errorf("the API server's audit log: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if e.User.Username != operatorUser {
		j.ours(&e)
		return nil
	}
	switch {
	case e.ResponseStatus.Code >= http.StatusBadRequest:
		j.refused++
	case e.ObjectRef.Resource == kindEvent:
		j.events++
		return nil
	}
	j.counted++
	j.last = e.StageTimestamp
	j.operators(&e)
	return nil
}

func (j *journal) ours(e *entry) {
	if e.ResponseStatus.Code >= http.StatusBadRequest {
		return
	}
	switch e.ObjectRef.Resource {
	case kindConnector:
		j.of(e.key()).created = e.RequestReceivedTimestamp
	case kindSecret:
		j.secrets[e.key()] = *e
	}
}

// operators files a write of the operator's under its resource.
func (j *journal) operators(e *entry) {
	key := e.key()
	key.Name = strings.TrimSuffix(key.Name, "-connector")
	h := j.of(key)
	h.writes++
	kind := e.ObjectRef.Resource
	if kind == kindConnector {
		h.statuses++
		return
	}
	if e.ResponseStatus.Code >= http.StatusBadRequest {
		return
	}
	if kind == kindSecret {
		j.secrets[e.key()] = *e
	}
	if _, known := h.children[kind]; known {
		return
	}
	h.children[kind] = e.StageTimestamp
	if kind == kindDeployment {
		j.deployments = append(j.deployments, e.key())
	}
}

func (j *journal) of(key client.ObjectKey) *history {
	h := j.resources[key]
	if h == nil {
		h = &history{children: map[string]time.Time{}}
		j.resources[key] = h
	}
	return h
}

// history returns a copy of one resource's.
func (j *journal) history(key client.ObjectKey) history {
	j.mu.Lock()
	defer j.mu.Unlock()
	h := *j.of(key)
	h.children = maps.Clone(h.children)
	return h
}

// completed is the number of resources that have all of their children.
func (j *journal) completed() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, h := range j.resources {
		if _, complete := h.complete(); complete {
			n++
		}
	}
	return n
}

// writes returns the number of the operator's writes, and that of its events.
func (j *journal) writes() (counted, events int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.counted, j.events
}

// refusals is the number of the operator's writes that the API server refused.
func (j *journal) refusals() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.refused
}

// quiet is how long the operator has written nothing.
func (j *journal) quiet() time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	return time.Since(j.last)
}

// secret returns the last write of a Secret.
func (j *journal) secret(key client.ObjectKey) entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.secrets[key]
}

// deploymentsFrom returns the Deployments made since there were n.
func (j *journal) deploymentsFrom(n int) []client.ObjectKey {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.deployments[n:])
}
