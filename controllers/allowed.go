package controllers

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"xbot.a4b.vn/channel-connector/controllers/status"
)

// Names says which names are allowed: each is a name, or the beginning of names and a "*". nil allows all.
type Names []string

// Check returns an error unless each is a name, or a beginning and a "*".
func (n Names) Check() error {
	for _, name := range n {
		if name == "" || strings.ContainsAny(name, " \t\n") || strings.Contains(strings.TrimSuffix(name, "*"), "*") {
			return fmt.Errorf("want names, or the beginning of names and a *, not %q", name)
		}
	}
	return nil
}

func (n Names) allow(name string) bool {
	return n == nil || slices.ContainsFunc(n, func(allowed string) bool {
		beginning, more := strings.CutSuffix(allowed, "*")
		return name == allowed || more && strings.HasPrefix(name, beginning)
	})
}

// Allowed limits what a ChannelConnector may declare of its pods.
type Allowed struct {
	PodLabels, PodAnnotations, PriorityClasses Names
}

// maxDenied bounds how many fields a message names.
const maxDenied = 5

// denied is the obstacle that the resource declares what the operator's flags do not allow; nil if it does not. The
// workload stays as it is, since one without those fields is not what was declared. Keys go on to be changed and revoked.
func (p *pass) denied() *status.Obstacle {
	var denied []string
	deny := func(of Names, names []string, path func(string) string, flag string) {
		for _, name := range slices.Sorted(slices.Values(names)) {
			if !of.allow(name) {
				denied = append(denied, fmt.Sprintf("%s (--%s)", path(name), flag))
			}
		}
	}
	entry := func(field string) func(string) string {
		return func(name string) string { return fmt.Sprintf("spec.workload.%s[%q]", field, name) }
	}
	w := p.connector.Spec.Workload
	deny(p.Allowed.PodLabels, slices.Collect(maps.Keys(w.PodLabels)), entry("podLabels"), "allowed-pod-labels")
	deny(p.Allowed.PodAnnotations, slices.Collect(maps.Keys(w.PodAnnotations)), entry("podAnnotations"), "allowed-pod-annotations")
	if w.PriorityClassName != "" {
		class := func(name string) string { return fmt.Sprintf("spec.workload.priorityClassName %q", name) }
		deny(p.Allowed.PriorityClasses, []string{w.PriorityClassName}, class, "allowed-priority-classes")
	}
	if len(denied) == 0 {
		return nil
	}
	return &status.Obstacle{
		Reason: status.ReasonNotAllowed, Stalled: true,
		Message: "The flags of the operator do not allow " + strings.Join(denied[:min(len(denied), maxDenied)], ", ") +
			": leave that out, or ask for it to be allowed",
	}
}
