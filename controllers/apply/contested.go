package apply

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/controllers/marks"
)

const (
	// promptCorrections is how often a field is put back at once. A person changes it once or twice; a controller goes
	// on.
	promptCorrections = 3
	// admissionAttempts is after how many attempts a value counts as changed on admission. The second one tells a
	// webhook that changes every write from one that changes new objects.
	admissionAttempts = 2
	// minPause and maxPause bound how long a contested field is left as it is; each correction doubles the time. A
	// connector that rolls out every ten minutes can serve.
	minPause = 10 * time.Second
	maxPause = 10 * time.Minute
	// quiet is after how long without another change a contest is forgotten.
	quiet = 10 * time.Minute
	// proof is how long a correction must last until the contest counts as ended. It is not forgotten then: the next
	// correction is not prompt.
	proof = 10 * time.Second
)

// contested is a field that was corrected.
type contested struct {
	// wanted is the digest of the wanted value. Another value begins a new contest.
	wanted string
	// corrections counts how often the field was put back; refusals counts how often in a row it came back with another
	// value.
	corrections, refusals int
	// pause is how long the field is left as it is after the last correction, and due the end of that; 0 while
	// corrections are prompt.
	pause time.Duration
	due   time.Time
	// seen is when the field was last corrected, or last found to differ.
	seen time.Time
	// differs reports whether the field is not as wanted. left reports whether it is left to others, until a correction has lasted.
	differs, left bool
	// named reports whether managers are known since the last correction.
	named    bool
	managers string
}

// correct notes a correction. If it is refused again, the write may have changed nothing, and then no event reports its
// result: it is known here.
func (f *contested) correct(now time.Time, refused bool) {
	f.seen, f.differs, f.named = now, false, false
	if f.refusals++; !refused {
		f.refusals = 0
	}
	if f.damped() {
		f.pause = min(max(2*f.pause, minPause), maxPause)
		f.due = now.Add(f.pause)
	}
	if f.onAdmission() {
		f.differs, f.left = true, true
	}
}

// damped reports whether corrections are no longer prompt.
func (f *contested) damped() bool { return f.corrections >= promptCorrections || f.onAdmission() }

// onAdmission reports whether the API server, or a webhook, decides the field.
func (f *contested) onAdmission() bool { return f.refusals >= admissionAttempts }

// expired reports whether a contest is to be forgotten. If its correction was due long ago, its child is no longer
// wanted.
func (f *contested) expired(now time.Time) bool {
	if f.differs {
		return now.Sub(f.due) >= quiet
	}
	return now.Sub(f.seen) >= quiet
}

// proven reports whether the last correction has lasted.
func (f *contested) proven(now time.Time) bool { return !f.differs && now.Sub(f.seen) >= proof }

// again is after how long to look at a field: when its correction is due, or has lasted. If the correction did not come
// when it was due, the field is looked at ever more rarely until it is forgotten.
func (f *contested) again(now time.Time) time.Duration {
	late := now.Sub(f.due)
	switch {
	case !f.left: // a value came back as another one for the first time
		return time.Second
	case !f.differs:
		return f.seen.Add(proof).Sub(now)
	case late < 0:
		return -late
	}
	return min(max(late, time.Second), quiet-late)
}

// identityLabels are those by which children and pods are found.
var identityLabels = []string{marks.LabelName, marks.LabelInstance, marks.LabelManagedBy, marks.LabelConnector}

// source are the fields of a pod that name its configuration. Another configuration may have a revoked key.
var source = []string{
	"spec.volumes[name=config]", "spec.containers[name=connector].args", "spec.containers[name=connector].volumeMounts[name=config]",
}

// identity reports whether a field, or a part of it, identifies a child, names a pod's configuration, or protects the
// child from pruning.
func identity(path fieldPath) bool {
	text := strings.TrimPrefix(path.String(), "spec.template.")
	last := path[len(path)-1].name
	switch {
	case slices.ContainsFunc(source, func(of string) bool { return strings.HasPrefix(text, of) }):
		return true
	case text == "metadata", strings.HasPrefix(text, "metadata.ownerReferences"), strings.HasPrefix(text, "spec.selector"):
		return true
	case strings.HasPrefix(text, "metadata.labels"):
		return text == "metadata.labels" || slices.Contains(identityLabels, last)
	case strings.HasPrefix(text, "metadata.annotations"):
		return text == "metadata.annotations" || strings.HasPrefix(last, marks.Domain) || marks.Unprunable[last] != ""
	}
	return false
}

// sum is the digest of a wanted value.
func sum(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic("a wanted value cannot be encoded: " + err.Error())
	}
	return Digest(encoded)
}
