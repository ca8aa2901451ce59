package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The names of kinds in the audit log.
const (
	kindConnector  = "channelconnectors"
	kindSecret     = "secrets"
	kindDeployment = "deployments"
	kindEvent      = "events"
)

// entry is a line of the audit log, see audit.k8s.io/v1, as far as it is read here.
type entry struct {
	User           struct{ Username string }
	Verb           string
	ObjectRef      struct{ Resource, Subresource, Namespace, Name string }
	ResponseStatus struct{ Code int }
	// RequestReceivedTimestamp is when the request came, StageTimestamp when it was answered.
	RequestReceivedTimestamp, StageTimestamp time.Time
}

func (e *entry) key() client.ObjectKey {
	return client.ObjectKey{Namespace: e.ObjectRef.Namespace, Name: e.ObjectRef.Name}
}

func (e *entry) refused() bool { return e.ResponseStatus.Code >= http.StatusBadRequest }

// history has the writes of one resource.
type history struct {
	created time.Time
	// children are the kinds that are there, completed is the time of the last one.
	children  map[string]bool
	completed time.Time
	// writes are the operator's, to the resource and its children.
	writes int
}

// tally counts the operator's requests.
type tally struct {
	// writes include those refused. events, which are no part of any resource's state, are apart.
	writes, events, refused int
	// complete is the number of resources that have all of their children.
	complete int
	last     time.Time
}

// quiet is the time since the operator's last write.
func (t tally) quiet() time.Duration { return time.Since(t.last) }

// journal is the content of the audit log.
type journal struct {
	mu        sync.Mutex
	resources map[client.ObjectKey]*history
	// deployments are in the order in which they were made.
	deployments []client.ObjectKey
	// secrets are the last writes of each.
	secrets map[client.ObjectKey]entry
	counted tally
}

func newJournal() *journal {
	return &journal{resources: map[client.ObjectKey]*history{}, secrets: map[client.ObjectKey]entry{}}
}

// growing reads a file as it grows.
type growing func(p []byte) (int, error)

func (g growing) Read(p []byte) (int, error) { return g(p) }

// follow reads the log as it grows, until ctx ends.
func (j *journal) follow(ctx context.Context, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	lines := json.NewDecoder(growing(func(p []byte) (n int, err error) {
		for n, err = file.Read(p); errors.Is(err, io.EOF) && ctx.Err() == nil; n, err = file.Read(p) {
			select {
			case <-time.After(2 * time.Millisecond):
			case <-ctx.Done():
			}
		}
		return n, err
	}))
	for {
		var e entry
		switch err := lines.Decode(&e); {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("the API server's audit log: %w", err)
		}
		j.read(&e)
	}
}

// read takes in one entry.
func (j *journal) read(e *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	kind := e.ObjectRef.Resource
	switch {
	case e.User.Username == operatorUser:
		j.operators(kind, e)
	case e.refused():
	case kind == kindConnector:
		j.of(e.key()).created = e.RequestReceivedTimestamp
	case kind == kindSecret:
		j.secrets[e.key()] = *e
	}
}

// operators files a request of the operator's under its resource.
func (j *journal) operators(kind string, e *entry) {
	switch {
	case e.refused():
		j.counted.refused++
	case kind == kindEvent:
		j.counted.events++
		return
	}
	j.counted.writes++
	j.counted.last = e.StageTimestamp
	key := e.key()
	key.Name = strings.TrimSuffix(key.Name, "-connector")
	h := j.of(key)
	h.writes++
	if kind == kindConnector || e.refused() {
		return
	}
	if kind == kindSecret {
		j.secrets[e.key()] = *e
	}
	if h.children[kind] {
		return
	}
	h.children[kind], h.completed = true, e.StageTimestamp
	if len(h.children) == childrenOfEach {
		j.counted.complete++
	}
	if kind == kindDeployment {
		j.deployments = append(j.deployments, e.key())
	}
}

func (j *journal) of(key client.ObjectKey) *history {
	h := j.resources[key]
	if h == nil {
		h = &history{children: map[string]bool{}}
		j.resources[key] = h
	}
	return h
}

// history returns a resource's, without its children.
func (j *journal) history(key client.ObjectKey) history {
	j.mu.Lock()
	defer j.mu.Unlock()
	h := *j.of(key)
	h.children = nil
	return h
}

// tally returns the counts so far.
func (j *journal) tally() tally {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.counted
}

// secret returns the last write of a Secret.
func (j *journal) secret(key client.ObjectKey) entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.secrets[key]
}

// deploymentsFrom returns the Deployments that were made after the first n.
func (j *journal) deploymentsFrom(n int) []client.ObjectKey {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.deployments[n:])
}
