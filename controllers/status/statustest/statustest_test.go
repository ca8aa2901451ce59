package statustest

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// with returns a resource of generation 2 with these conditions, written "Ready=True Reason: message".
func with(conditions ...string) *v1alpha1.ChannelConnector {
	c := &v1alpha1.ChannelConnector{}
	c.Generation, c.Status.ObservedGeneration = 2, 2
	for _, text := range conditions {
		head, message, _ := strings.Cut(text, ": ")
		head, reason, _ := strings.Cut(head, " ")
		kind, status, _ := strings.Cut(head, "=")
		c.Status.Conditions = append(c.Status.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionStatus(status), Reason: reason, Message: message,
			ObservedGeneration: 2, LastTransitionTime: metav1.Now(),
		})
	}
	return c
}

const (
	resolved    = "CredentialsResolved=True Resolved: m"
	ready       = "Ready=True Ready: m"
	available   = "WorkloadAvailable=True Available: m"
	starting    = "Ready=False Starting: m"
	reconciling = "Reconciling=True Starting: m"
	down        = "WorkloadAvailable=False Starting: m"
)

func changed(c *v1alpha1.ChannelConnector, change func(*v1alpha1.ChannelConnector)) *v1alpha1.ChannelConnector {
	change(c)
	return c
}

// statuses are what Check is shown, and what it finds wrong.
var statuses = map[string]struct {
	is   *v1alpha1.ChannelConnector
	want []string
}{
	"well":     {is: with(resolved, ready, available)},
	"starting": {is: with(resolved, starting, reconciling, down)},
	"stalled": {
		is: with("CredentialsResolved=False SecretNotFound: m", "Ready=False SecretNotFound: m n",
			"Stalled=True SecretNotFound: m n", available),
	},
	"update":        {is: with(resolved, ready, "UpdatePending=True WaitsForTurn: m", available)},
	"not looked at": {is: with("Ready=False ApplyRefused: m", "Reconciling=True ApplyRefused: m", down)},
	"an old verdict": {
		is: changed(with("CredentialsResolved=False SecretNotFound: m", "Ready=False ApplyRefused: m", "Reconciling=True ApplyRefused: m", down),
			func(c *v1alpha1.ChannelConnector) { c.Status.Conditions[0].ObservedGeneration = 1 }),
		want: []string{"CredentialsResolved: observedGeneration is 1, not 2"},
	},
	"awaiting": {
		is: with("CredentialsResolved=False AwaitingOASecretKey: m",
			"Ready=False AwaitingOASecretKey: m", "Reconciling=True AwaitingOASecretKey: m", available),
	},
	"awaiting, and ready": {
		is:   with("CredentialsResolved=False AwaitingOASecretKey: m", ready, available),
		want: []string{"Ready, but not WorkloadAvailable and CredentialsResolved"},
	},

	"empty": {
		is:   &v1alpha1.ChannelConnector{},
		want: []string{"observedGeneration is 0, and the generation 0", "Ready or WorkloadAvailable is missing"},
	},
	"ahead": {
		is:   changed(with(resolved, ready, available), func(c *v1alpha1.ChannelConnector) { c.Generation = 1 }),
		want: []string{"observedGeneration is 2, and the generation 1"},
	},
	"behind": {
		is:   changed(with(resolved, ready, available), func(c *v1alpha1.ChannelConnector) { c.Status.Conditions[1].ObservedGeneration = 1 }),
		want: []string{"Ready: observedGeneration is 1, not 2"},
	},
	"not sorted": {is: with(ready, resolved, available), want: []string{"CredentialsResolved: not sorted, or there twice"}},
	"twice":      {is: with(resolved, ready, ready, available), want: []string{"Ready: not sorted, or there twice"}},
	"unknown": {
		is: with(resolved, "Nice=True Ready: m", ready, available), want: []string{`Nice: True with the reason "Ready" is not documented`},
	},
	"another's reason": {
		is: with(resolved, "Ready=True Available: m", available), want: []string{`Ready: True with the reason "Available" is not documented`},
	},
	"no reason": {
		is:   with(resolved, "Ready=True : m", available),
		want: []string{`Ready: the reason "" is not CamelCase`, `Ready: True with the reason "" is not documented`},
	},
	"unknown status": {
		is: with(resolved, ready, "WorkloadAvailable=Unknown Available: m"),
		want: []string{
			`WorkloadAvailable: Unknown with the reason "Available" is not documented`, "Ready, but not WorkloadAvailable and CredentialsResolved",
		},
	},
	"False when absent": {
		is:   with(resolved, ready, "UpdatePending=False WaitsForTurn: m", available),
		want: []string{`UpdatePending: False with the reason "WaitsForTurn" is not documented`},
	},
	"no message": {is: with(resolved, "Ready=True Ready: ", available), want: []string{"Ready: a message of 0 bytes"}},
	"no time": {
		is: changed(with(resolved, ready, available), func(c *v1alpha1.ChannelConnector) {
			c.Status.Conditions[0].LastTransitionTime = metav1.Time{}
		}),
		want: []string{"CredentialsResolved: no lastTransitionTime"},
	},
	"both": {
		is: with(resolved, starting, reconciling, "Stalled=True Starting: m", down), want: []string{"Reconciling and Stalled at once"},
	},
	"neither": {is: with(resolved, starting, down), want: []string{"Ready is False, and Reconciling is false, Stalled false"}},
	"ready, and not done": {
		is:   with(resolved, ready, reconciling, available),
		want: []string{"Ready is True, and Reconciling is true, Stalled false", "Reconciling says other than Ready: Starting: m"},
	},
	"another summary": {
		is: with(resolved, starting, "Reconciling=True Starting: n", down), want: []string{"Reconciling says other than Ready: Starting: n"},
	},
	"ready, unavailable": {is: with(resolved, ready, down), want: []string{"Ready, but not WorkloadAvailable and CredentialsResolved"}},
	"ready, unresolved":  {is: with(ready, available), want: []string{"Ready, but not WorkloadAvailable and CredentialsResolved"}},
	"unresolved, unsaid": {
		is:   with("CredentialsResolved=False SecretNotFound: m", starting, reconciling, down),
		want: []string{"CredentialsResolved is False, and Stalled does not say why"},
	},
	"unresolved, for else": {
		is:   with("CredentialsResolved=False SecretNotFound: m", "Ready=False Starting: m", "Stalled=True Starting: m", down),
		want: []string{"CredentialsResolved is False, and Stalled does not say why"},
	},
}

func TestCheck(t *testing.T) {
	for name, c := range statuses {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Check(c.is)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestReasonsAreDocumented: the pages say of every reason what to do about it.
func TestReasonsAreDocumented(t *testing.T) {
	document, err := os.ReadFile("../../../docs/operator.md")
	if err != nil {
		t.Fatal(err)
	}
	for kind, reasons := range Reasons {
		for _, reason := range reasons {
			if !strings.Contains(string(document), "`"+reason+"`") {
				t.Errorf("docs/operator.md lacks the reason %s of %s", reason, kind)
			}
		}
	}
	if !strings.Contains(string(document), "| Ready=True | `"+status.ReasonReady+"` |") {
		t.Error("docs/operator.md is not the table of reasons that it was")
	}
}
