package status

import (
	"cmp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/controllers/apply"
)

// maxContests is how many fields a message lists. With more, its advice would be cut off.
const maxContests = 4

// contested says which fields others decide, who they are and what to do; nil if there are none. It tells no values,
// since some may be secret.
func contested(all []apply.Contest) *condition {
	if len(all) == 0 {
		return nil
	}
	v := &condition{status: metav1.ConditionTrue}
	for _, c := range []struct {
		onAdmission             bool
		reason, says, then, end string
	}{
		{
			false, ReasonWrittenByOthers, "Others write again and again what the operator wants otherwise: ",
			". It stays as they write it, and is put back", "Stop that controller",
		},
		{
			true, ReasonChangedOnAdmission, "An admission webhook or the API server changes what the operator writes: ",
			". It stays as it is, and is tried again", "Exempt the operator's objects from that webhook or policy",
		},
	} {
		of := slices.DeleteFunc(slices.Clone(all), func(of apply.Contest) bool { return of.OnAdmission != c.onAdmission })
		if len(of) == 0 {
			continue
		}
		if v.reason = cmp.Or(v.reason, c.reason); v.message != "" {
			v.message += ". "
		}
		v.message += c.says + list(of) + c.then + " ever more rarely, every 10 minutes in the end. " + c.end +
			", or declare its value where spec.workload has a field for it"
	}
	return v
}

// scaledByOthers reports whether others decide the Deployment's number of pods.
func scaledByOthers(o Observation) bool {
	return slices.ContainsFunc(o.Contests, func(c apply.Contest) bool { return c.Field == "spec.replicas" })
}

func list(of []apply.Contest) string {
	var fields []string
	for _, c := range of[:min(len(of), maxContests)] {
		field := c.Field + " of " + c.Child
		if !c.OnAdmission {
			field += " by " + cmp.Or(c.Managers, "an admission webhook or the API server, or a client that removes it")
		}
		fields = append(fields, field)
	}
	if len(of) > maxContests {
		fields = append(fields, "and others")
	}
	return strings.Join(fields, ", ")
}
