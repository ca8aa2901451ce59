package apply

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/controllers/children"
)

// The bounds of the memory: some 5 MiB. Fields beyond them are put back at once, each time, unless another namespace
// makes room.
const (
	maxChildren       = 10_000
	maxFields         = 10_000
	maxFieldsPerChild = 32
	// sweepAfter is how often expired contests are swept.
	sweepAfter = time.Minute
)

// Contests remember the fields of children that others change as often as the operator puts them back. Such a field is
// left as it is for a while, and for twice as long after each correction: a pod that is replaced once a second answers
// no call. The memory ends with the operator; the next one finds out for itself.
//
// These fields are never left to others: owner references, the labels by which children and pods are found, selectors,
// the operator's own annotations, those that protect a child from pruning, every field of a Secret, since an old value
// may be a revoked key, and the fields that say which Secret a pod reads.
type Contests struct {
	clock clock.PassiveClock

	mu sync.Mutex
	// owners are the children by their ChannelConnector, and by their text: Service "shop-connector".
	owners map[client.ObjectKey]map[string]*childContests
	// tally counts what is remembered; namespaces those that something is remembered of.
	tally
	namespaces map[string]*tally
	swept      time.Time
}

// tally counts children, and their fields.
type tally struct{ children, fields int }

func (t *tally) add(children, fields int) {
	t.children += children
	t.fields += fields
}

// NewContests returns an empty memory.
func NewContests(c clock.PassiveClock) *Contests {
	return &Contests{clock: c, owners: map[client.ObjectKey]map[string]*childContests{}, namespaces: map[string]*tally{}}
}

// Contest is a field that the operator does not get its way with.
type Contest struct {
	// Child is the object in a message: Service "shop-connector".
	Child string
	// Field is its path: spec.replicas.
	Field string
	// Managers are the other field managers that own it, quoted; empty if there are none.
	Managers string
	// OnAdmission reports whether the API server answered the operator's own write with another value than the operator
	// wrote.
	OnAdmission bool
}

// childContests are those of one child.
type childContests struct {
	// uid tells the object from an earlier one of its name.
	uid types.UID
	// namespace is the one that it counts in.
	namespace string
	// digest is that of the last configuration that was applied, and wroteAt its time. By it a writer that changes the
	// annotation as well is told from a change of the resource.
	digest  string
	wroteAt time.Time
	fields  map[string]*contested
}

// contestKey is where the contests of a child are.
type contestKey struct {
	owner client.ObjectKey
	child string
	uid   types.UID
}

// judgement sorts the differences of a child.
type judgement struct {
	// left are the fields that are left as they are, by their paths.
	left map[string]leaving
	// corrected are the differences that are put back.
	corrected []difference
}

// leaving is how a field is left as it is.
type leaving struct {
	// unnamed reports whether the field's owners are not known yet.
	unnamed bool
	// sent reports whether the wanted value is still sent: the API server itself turns it into the value that is there.
	sent bool
}

// judge sorts the differences of a child. applied reports whether the object was last applied with the configuration of this
// digest, so that the differences are the work of others.
func (c *Contests) judge(key contestKey, digest string, applied bool, differs []difference) judgement {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, child := c.clock.Now(), c.child(key)
	c.settle(child, differs, now)
	j := judgement{left: map[string]leaving{}}
	for _, d := range differs {
		if identity(d.path) {
			continue
		}
		f := c.field(child, d)
		switch {
		case f == nil && (applied || child.digest == digest), f != nil && !f.damped(), f != nil && !now.Before(f.due):
			j.corrected = append(j.corrected, d)
		case f != nil:
			f.seen, f.differs, f.left = now, true, true
			j.left[d.path.String()] = leaving{unnamed: !f.named && !f.onAdmission(), sent: f.onAdmission()}
		}
	}
	return j
}

// wrote records a write of a child: the fields that it put back, and those that came back with another value.
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
	answered := paths(refused)
	for _, d := range corrected {
		if f := c.rememberField(child, d); f != nil {
			f.corrections++
			f.correct(now, answered[d.path.String()])
		}
		delete(answered, d.path.String())
	}
	for _, d := range refused { // fields that the operator itself changed, or still sends
		if identity(d.path) || !answered[d.path.String()] {
			continue
		}
		// If the field is left as it is, its time has not come.
		if f := c.rememberField(child, d); f != nil && (!f.differs || !f.left) {
			f.correct(now, true)
		}
	}
}

func paths(of []difference) map[string]bool {
	all := make(map[string]bool, len(of))
	for _, d := range of {
		all[d.path.String()] = true
	}
	return all
}

// settle ends the contests of fields that no longer differ, and forgets the expired ones.
func (c *Contests) settle(child *childContests, differs []difference, now time.Time) {
	there := paths(differs)
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
			f.left = false
		}
	}
}

// named records the owners of the fields that are left, by the fields' paths.
func (c *Contests) named(key contestKey, managers map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	child := c.child(key)
	for path, names := range managers {
		if f := child.fields[path]; f != nil {
			f.named, f.managers = true, cmp.Or(names, f.managers)
		}
	}
}

// Of returns a ChannelConnector's contests, sorted by child and field, and after how long to look again; 0 for never.
func (c *Contests) Of(owner client.ObjectKey) (all []Contest, next time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	for key, child := range c.owners[owner] {
		for path, f := range child.fields {
			f.left = f.left && !f.expired(now) && !f.proven(now)
			if f.expired(now) || !f.left && f.refusals == 0 {
				continue
			}
			if f.left {
				all = append(all, Contest{key, path, f.managers, f.onAdmission()})
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

// Keep forgets those of a ChannelConnector's children that are no longer wanted.
func (c *Contests) Keep(owner client.ObjectKey, wanted []children.Child) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.owners[owner] {
		if !slices.ContainsFunc(wanted, func(child children.Child) bool { return key == child.String() }) {
			c.forgetChild(owner, key)
		}
	}
}

// Left is how many fields are left as they are.
func (c *Contests) Left() (left int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range c.owners {
		for _, child := range of {
			for _, f := range child.fields {
				if f.left {
					left++
				}
			}
		}
	}
	return left
}

// Forget is called for a ChannelConnector that is gone, or going.
func (c *Contests) Forget(owner client.ObjectKey) { c.Keep(owner, nil) }

// child returns the contests of an object; those of one that is not remembered are empty.
func (c *Contests) child(key contestKey) *childContests {
	child := c.owners[key.owner][key.child]
	if child != nil && child.uid == key.uid {
		return child
	}
	if child != nil {
		c.forgetChild(key.owner, key.child)
	}
	return &childContests{uid: key.uid, namespace: key.owner.Namespace, fields: map[string]*contested{}}
}

// remember returns the contests of an object, which it adds if need be; nil if there is no room.
func (c *Contests) remember(key contestKey) *childContests {
	child := c.child(key)
	if c.owners[key.owner][key.child] == child {
		return child
	}
	if c.children >= maxChildren && !c.makeRoom(child.namespace, func(t tally) int { return t.children }) {
		return nil
	}
	if c.owners[key.owner] == nil {
		c.owners[key.owner] = map[string]*childContests{}
	}
	c.owners[key.owner][key.child] = child
	c.count(child, 1, 0)
	return child
}

// count counts in the whole and in a child's namespace.
func (c *Contests) count(child *childContests, children, fields int) {
	own := c.namespaces[child.namespace]
	if own == nil {
		own = &tally{}
		c.namespaces[child.namespace] = own
	}
	c.add(children, fields)
	if own.add(children, fields); *own == (tally{}) {
		delete(c.namespaces, child.namespace)
	}
}

// makeRoom forgets a child of the namespace of which most is remembered, and reports whether it did. It leaves that one
// no less than the given one has: no tenant keeps the room from another one, and none takes it in turns with another.
func (c *Contests) makeRoom(namespace string, size func(tally) int) bool {
	var own tally
	if t := c.namespaces[namespace]; t != nil {
		own = *t
	}
	most, has := "", 0
	for name, t := range c.namespaces {
		if n := size(*t); n > has {
			most, has = name, n
		}
	}
	spare := has - size(own) - 1
	if spare <= 0 {
		return false
	}
	for owner, of := range c.owners {
		if owner.Namespace != most {
			continue
		}
		for key, child := range of {
			if n := size(tally{1, len(child.fields)}); 0 < n && n <= spare {
				c.forgetChild(owner, key)
				return true
			}
		}
	}
	return false
}

// field returns the contest of a field with its wanted value; nil if there is none.
func (c *Contests) field(child *childContests, d difference) *contested {
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
	switch {
	case f != nil, len(child.fields) >= maxFieldsPerChild:
		return f
	case c.fields >= maxFields && !c.makeRoom(child.namespace, func(t tally) int { return t.fields }):
		return nil
	}
	f = &contested{wanted: sum(d.want)}
	child.fields[d.path.String()] = f
	c.count(child, 0, 1)
	return f
}

func (c *Contests) forget(child *childContests, path string) {
	delete(child.fields, path)
	c.count(child, 0, -1)
}

func (c *Contests) forgetChild(owner client.ObjectKey, key string) {
	child := c.owners[owner][key]
	c.count(child, -1, -len(child.fields))
	if delete(c.owners[owner], key); len(c.owners[owner]) == 0 {
		delete(c.owners, owner)
	}
}

// sweep forgets what has expired, which no pass asks for any more.
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
