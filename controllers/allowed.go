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

// Allowed limits what a ChannelConnector may declare of its pods and of its Ingress.
type Allowed struct {
	PodLabels, PodAnnotations, PriorityClasses, IngressAnnotations Names
}

// maxDenied bounds how many fields a message names.
const maxDenied = 5

// denied is the obstacle that the resource declares what the operator's flags do not allow; nil if it does not. The
// workload stays as it is, since one without those fields is not what was declared. Keys go on to be changed and revoked.
func (p *pass) denied() *status.Obstacle {
	w, allowed := p.connector.Spec.Workload, p.Allowed
	denied := slices.Concat(
		deny("spec.workload.podLabels[%q] (--allowed-pod-labels)", allowed.PodLabels, w.PodLabels),
		deny("spec.workload.podAnnotations[%q] (--allowed-pod-annotations)", allowed.PodAnnotations, w.PodAnnotations),
		p.deniedOfIngress())
	if class := w.PriorityClassName; class != "" && !allowed.PriorityClasses.allow(class) {
		denied = append(denied, fmt.Sprintf("spec.workload.priorityClassName %q (--allowed-priority-classes)", class))
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

// deniedOfIngress are the fields that keep the Ingress from being written: some controllers take configuration and code
// from annotations.
func (p *pass) deniedOfIngress() []string {
	e := p.connector.Spec.Exposure
	if e == nil || e.Ingress == nil {
		return nil
	}
	return deny("spec.exposure.ingress.annotations[%q] (--allowed-ingress-annotations)", p.Allowed.IngressAnnotations, e.Ingress.Annotations)
}

// deny returns the field and the flag of each name that is not allowed.
func deny[V ~string](format string, allowed Names, declared map[string]V) (denied []string) {
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		if !allowed.allow(name) {
			denied = append(denied, fmt.Sprintf(format, name))
		}
	}
	return denied
}
