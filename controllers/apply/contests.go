package apply

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/children"
)

// The bounds of the memory: some 5 MiB. What is beyond them is put back at once, each
// time.
const (
	maxChildren       = 10_000
	maxFields         = 10_000
	maxFieldsPerChild = 32
	// sweepAfter is how often what is to be forgotten is looked for.
	sweepAfter = time.Minute
)

// Contests remember the fields of children that others change as often as the operator
// puts them back. Such a field is left as it is for a while, which doubles with each
// correction: a pod that is replaced once a second answers nobody. The memory ends with
// the operator; a new one finds out again.
//
// Identity is never left to others: owner references, the labels by which children and
// pods are found, selectors, the operator's own annotations, and those that keep a child
// from being pruned. Secrets are not either, where an old value may be a revoked key, nor
// what says which Secret a pod reads.
type Contests struct {
	clock clock.PassiveClock

	mu     sync.Mutex
	owners map[client.ObjectKey]map[childKey]*childContests
	// children and fields are how many are remembered, left how many fields of these
	// are left as they are.
	children, fields, left int
	swept                  time.Time
}

// NewContests returns an empty memory.
func NewContests(c clock.PassiveClock) *Contests {
	return &Contests{clock: c, owners: map[client.ObjectKey]map[childKey]*childContests{}}
}

// Contest is a field that the operator does not get its way with.
type Contest struct {
	// Child is the object in a message: Service "shop-connector".
	Child string
	// Field is its path: spec.replicas.
	Field string
	// Managers are the field managers that own it beside the operator, quoted; empty
	// where nobody does.
	Managers string
	// OnAdmission says that the API server answered the operator's own write with
	// another value than it asked for.
	OnAdmission bool
}

// childKey is one child of a ChannelConnector.
type childKey struct{ kind, name string }

func keyOf(c children.Child) childKey { return childKey{c.Kind.Name, c.Name} }

// String is the child in a message: Service "shop-connector".
func (k childKey) String() string { return fmt.Sprintf("%s %q", k.kind, k.name) }

// childContests are those of one child.
type childContests struct {
	// uid tells the object from an earlier one of its name.
	uid types.UID
	// digest is of what it was last applied with, and wroteAt when: somebody who
	// changes the annotation as well does not pass for a change of the resource.
	digest  string
	wroteAt time.Time
	fields  map[string]*contested
}

// contestKey is where the contests of a child are.
type contestKey struct {
	owner client.ObjectKey
	child childKey
	uid   types.UID
}

// judgement is what becomes of the differences of a child.
type judgement struct {
	// left are the paths of the fields that are left as they are, unnamed those of them
	// of which nobody has looked yet who owns them.
	left, unnamed map[string]bool
	// kept are those of left whose value the operator goes on to send, since the API
	// server makes of it what is there.
	kept map[string]bool
	// corrected are the differences that are put back.
	corrected []difference
}

// judge says what becomes of the differences of a child. applied says that the object
// was last applied with the digest's configuration, so that others made them.
func (c *Contests) judge(key contestKey, digest string, applied bool, differs []difference) judgement {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, child := c.clock.Now(), c.child(key)
	applied = applied || child != nil && child.digest == digest
	c.settle(child, differs, now)
	j := judgement{left: map[string]bool{}, unnamed: map[string]bool{}, kept: map[string]bool{}}
	for _, d := range differs {
		if identity(d.path) {
			continue
		}
		path, f := d.path.String(), c.field(child, d)
		switch {
		case f == nil && applied, f != nil && !f.damped(), f != nil && !now.Before(f.due):
			j.corrected = append(j.corrected, d)
		case f != nil:
			f.seen, f.differs = now, true
			c.leave(f, true)
			j.left[path], j.unnamed[path], j.kept[path] = true, !f.named && !f.onAdmission(), f.onAdmission()
		}
	}
	return j
}

// wrote notes a write of a child: what it put back, and what came back as another value
// than was asked for.
func (c *Contests) wrote(key contestKey, digest string, corrected, refused []difference) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	c.sweep(now)
	child := c.remember(key)
	if child == nil {
		return
	}
	child.digest, child.wroteAt = digest, now
	answered := map[string]bool{}
	for _, d := range refused {
		answered[d.path.String()] = true
	}
	for _, d := range corrected {
		if f := c.rememberField(child, d); f != nil {
			f.corrections++
			c.correct(f, now, answered[d.path.String()])
		}
		delete(answered, d.path.String())
	}
	for _, d := range refused { // of what the operator itself changed, or goes on to send
		if f := c.refusedField(child, d); f != nil && answered[d.path.String()] {
			c.correct(f, now, true)
		}
	}
}

// refusedField returns the field to note a refusal of; nil where its value is known to
// come back as another one and its time has not come.
func (c *Contests) refusedField(child *childContests, d difference) *contested {
	if identity(d.path) {
		return nil
	}
	f := c.rememberField(child, d)
	if f != nil && f.differs && f.left {
		return nil
	}
	return f
}

// correct notes a correction. One that is refused again may change nothing, and then no
// event says how it went.
func (c *Contests) correct(f *contested, now time.Time, refused bool) {
	f.correct(now, refused)
	if f.onAdmission() {
		f.differs = true
		c.leave(f, true)
	}
}

// settle ends and forgets what the fields that no longer differ allow.
func (c *Contests) settle(child *childContests, differs []difference, now time.Time) {
	if child == nil {
		return
	}
	there := map[string]bool{}
	for _, d := range differs {
		there[d.path.String()] = true
	}
	for path, f := range child.fields {
		if f.differs && !there[path] {
			f.differs, f.seen = false, now
		}
		if !f.left && !there[path] {
			f.refusals = 0
		}
		if f.expired(now) {
			c.forget(child, path)
		} else if f.proven(now) && !there[path] {
			c.leave(f, false)
		}
	}
}

// named notes who owns the fields that were left, by their paths.
func (c *Contests) named(key contestKey, managers map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	child := c.child(key)
	if child == nil {
		return
	}
	for path, names := range managers {
		if f := child.fields[path]; f != nil {
			f.named, f.managers = true, cmp.Or(names, f.managers)
		}
	}
}

// Of returns a ChannelConnector's contests, by child and field, and how soon to look
// again; 0 when there is no need.
func (c *Contests) Of(owner client.ObjectKey) (all []Contest, next time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	for key, child := range c.owners[owner] {
		for path, f := range child.fields {
			if f.expired(now) || f.proven(now) {
				c.leave(f, false)
			}
			if f.expired(now) || !f.left && f.refusals == 0 {
				continue
			}
			if f.left {
				all = append(all, Contest{key.String(), path, f.managers, f.onAdmission()})
			}
			if again := f.again(now); next == 0 || again < next {
				next = again
			}
		}
	}
	slices.SortFunc(all, func(a, b Contest) int {
		return cmp.Or(strings.Compare(a.Child, b.Child), strings.Compare(a.Field, b.Field))
	})
	return all, next
}

// Keep forgets a ChannelConnector's children that are not wanted any more.
func (c *Contests) Keep(owner client.ObjectKey, wanted []children.Child) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.owners[owner] {
		if !slices.ContainsFunc(wanted, func(child children.Child) bool { return key == keyOf(child) }) {
			c.forgetChild(owner, key)
		}
	}
}

// Left is how many fields are left as they are.
func (c *Contests) Left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// Forget is called for a ChannelConnector that is gone, or going.
func (c *Contests) Forget(owner client.ObjectKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.owners[owner] {
		c.forgetChild(owner, key)
	}
}

func (c *Contests) leave(f *contested, left bool) {
	switch {
	case left && !f.left:
		c.left++
	case f.left && !left:
		c.left--
	}
	f.left = left
}

// child returns what is remembered of an object, nil when that is nothing.
func (c *Contests) child(key contestKey) *childContests {
	child := c.owners[key.owner][key.child]
	if child != nil && child.uid != key.uid {
		c.forgetChild(key.owner, key.child)
		return nil
	}
	return child
}

// remember returns the place for what is remembered of an object, nil when there is no
// room.
func (c *Contests) remember(key contestKey) *childContests {
	child := c.child(key)
	if child == nil && c.children < maxChildren {
		if c.owners[key.owner] == nil {
			c.owners[key.owner] = map[childKey]*childContests{}
		}
		child = &childContests{uid: key.uid, fields: map[string]*contested{}}
		c.owners[key.owner][key.child] = child
		c.children++
	}
	return child
}

// field returns what is remembered of a field with its wanted value, nil when that is
// nothing.
func (c *Contests) field(child *childContests, d difference) *contested {
	if child == nil {
		return nil
	}
	path := d.path.String()
	f := child.fields[path]
	if f != nil && f.wanted != sum(d.want) {
		c.forget(child, path)
		return nil
	}
	return f
}

func (c *Contests) rememberField(child *childContests, d difference) *contested {
	f := c.field(child, d)
	if f == nil && c.fields < maxFields && len(child.fields) < maxFieldsPerChild {
		f = &contested{wanted: sum(d.want)}
		child.fields[d.path.String()] = f
		c.fields++
	}
	return f
}

func (c *Contests) forget(child *childContests, path string) {
	c.leave(child.fields[path], false)
	delete(child.fields, path)
	c.fields--
}

func (c *Contests) forgetChild(owner client.ObjectKey, key childKey) {
	child := c.owners[owner][key]
	for path := range child.fields {
		c.forget(child, path)
	}
	delete(c.owners[owner], key)
	c.children--
	if len(c.owners[owner]) == 0 {
		delete(c.owners, owner)
	}
}

// sweep forgets what nobody asks for any more.
func (c *Contests) sweep(now time.Time) {
	if now.Sub(c.swept) < sweepAfter {
		return
	}
	c.swept = now
	for owner, of := range c.owners {
		for key, child := range of {
			for path, f := range child.fields {
				if f.expired(now) {
					c.forget(child, path)
				}
			}
			if len(child.fields) == 0 && now.Sub(child.wroteAt) >= quiet {
				c.forgetChild(owner, key)
			}
		}
	}
}
