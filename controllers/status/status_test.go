package status_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/status"
	"xbot.a4b.vn/channel-connector/controllers/status/statustest"
	"xbot.a4b.vn/channel-connector/test/kit/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// conditions are those of a status as text.
func conditions(s v1alpha1.ChannelConnectorStatus) map[string]string {
	all := map[string]string{}
	for _, c := range s.Conditions {
		all[c.Type] = string(c.Status) + " " + c.Reason + ": " + c.Message
	}
	return all
}

// expected are conditions in short: where Ready, WorkloadAvailable and CredentialsResolved are not said, they are as of
// a connector that is well. Reconciling and Stalled repeat what Ready says.
type expected struct {
	reconciling, stalled, ready       string
	available, credentials, updateBut string
	definition, delivering, contested string
	growing                           string
}

const (
	wellReady       = "True Ready: The connector takes calls with the declared configuration"
	wellAvailable   = "True Available: A pod takes calls"
	wellCredentials = "True Resolved: Every Secret key that the resource names was found"
)

// heldAtNone is why nothing takes calls where others decide the number of pods.
const heldAtNone = "ScaledByOthers: Another client holds the Deployment at 0 replicas: no call is answered; the inbox is kept. " +
	"FieldContested says who"

func (e expected) conditions() map[string]string {
	all := map[string]string{
		v1alpha1.ConditionReady:               wellReady,
		v1alpha1.ConditionWorkloadAvailable:   wellAvailable,
		v1alpha1.ConditionCredentialsResolved: wellCredentials,
	}
	for kind, text := range map[string]string{
		v1alpha1.ConditionReady: e.ready, v1alpha1.ConditionWorkloadAvailable: e.available,
		v1alpha1.ConditionCredentialsResolved: e.credentials, v1alpha1.ConditionUpdatePending: e.updateBut,
		v1alpha1.ConditionDefinitionOutdated: e.definition, v1alpha1.ConditionDelivering: e.delivering,
		v1alpha1.ConditionFieldContested: e.contested, v1alpha1.ConditionInboxGrowing: e.growing,
	} {
		if text != "" {
			all[kind] = text
		}
	}
	for kind, text := range map[string]string{v1alpha1.ConditionReconciling: e.reconciling, v1alpha1.ConditionStalled: e.stalled} {
		if text != "" {
			all[v1alpha1.ConditionReady], all[kind] = "False "+text, "True "+text
		}
	}
	return all
}

// verify computes the status twice, the second time with that of the first as the resource has it, and compares it.
func verify(t *testing.T, o status.Observation, want expected) {
	t.Helper()
	first := status.Compute(o)
	if diff := cmp.Diff(want.conditions(), conditions(first)); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
	o.Connector = o.Connector.DeepCopy()
	o.Connector.Status = first
	for _, wrong := range slices.Concat(statustest.Check(o.Connector), health.Check(o.Connector)) {
		t.Error(wrong)
	}
	if diff := cmp.Diff(first, status.Compute(o)); diff != "" {
		t.Errorf("the status is another the second time (-first +second):\n%s", diff)
	}
}

func TestSummary(t *testing.T) {
	const lastGood = status.LastGood
	notCreated := func(o *status.Observation) { o.Deployment, o.Pods, o.ConfigWritten = nil, nil, false }
	taken := &status.Obstacle{Reason: status.ReasonNameTaken, Message: `Service "shop-connector" exists`, Stalled: true}
	for name, c := range map[string]struct {
		change []func(*status.Observation)
		want   expected
	}{
		"well": {},
		"warnings": {
			[]func(*status.Observation){func(o *status.Observation) {
				o.Findings = []credentials.Finding{
					{Reason: credentials.ReasonShort, Message: "S is short"}, {Reason: credentials.ReasonTrimmed, Message: "T is trimmed"},
				}
			}},
			expected{credentials: "True ResolvedWithWarnings: S is short. T is trimmed"},
		},
		"a name is taken": {
			[]func(*status.Observation){notCreated, func(o *status.Observation) { o.Obstacle = taken }},
			expected{stalled: `NameTaken: Service "shop-connector" exists`, available: "False NotCreated: There is no Deployment yet"},
		},
		"a name is taken, while serving": {
			[]func(*status.Observation){func(o *status.Observation) { o.Obstacle = taken }},
			expected{stalled: `NameTaken: Service "shop-connector" exists` + lastGood},
		},
		"a child is refused": {
			[]func(*status.Observation){func(o *status.Observation) {
				o.Obstacle = &status.Obstacle{Reason: status.ReasonApplyRefused, Message: "No"}
			}},
			expected{reconciling: "ApplyRefused: No" + lastGood},
		},
		"waits for its turn": {
			[]func(*status.Observation){func(o *status.Observation) { o.UpdatePending = true }},
			expected{
				updateBut: "True WaitsForTurn: The pod template of this version of the operator comes when it is this connector's turn; " +
					"until then the one before serves",
			},
		},
		"no turn comes": {
			[]func(*status.Observation){func(o *status.Observation) { o.UpdatePending, o.UpgradesStopped = true, true }},
			expected{
				updateBut: "True UpgradesStopped: Connectors did not come up with the pod template of this version of the operator, two of " +
					"this namespace or one in each of several: see the events UpgradeFailed. Any change of the spec but its replicas and " +
					"inbox.embedded.size upgrades this one now",
			},
		},
		"others write a field": {
			[]func(*status.Observation){contests(apply.Contest{Child: `Deployment "shop-connector"`, Field: "spec.a", Managers: `"theirs"`},
				apply.Contest{Child: `Service "shop-connector"`, Field: "spec.b"})},
			expected{contested: `True WrittenByOthers: Others write again and again what the operator wants otherwise: ` +
				`spec.a of Deployment "shop-connector" by "theirs", ` +
				`spec.b of Service "shop-connector" by an admission webhook or the API server, or a client that removes it. ` +
				`It stays as they write it, and is put back ever more rarely, ` +
				"every 10 minutes in the end. Stop that controller, or declare its value where spec.workload has a field for it"},
		},
		"a webhook changes a field": {
			[]func(*status.Observation){contests(apply.Contest{Child: `Deployment "shop-connector"`, Field: "spec.a", OnAdmission: true})},
			expected{contested: `True ChangedOnAdmission: An admission webhook or the API server changes what the operator writes: ` +
				`spec.a of Deployment "shop-connector". ` +
				"It stays as it is, and is tried again ever more rarely, every 10 minutes in the end. " +
				"Exempt the operator's objects from that webhook or policy, or declare its value where spec.workload has a field for it"},
		},
		"others hold it at no pod": {
			[]func(*status.Observation){replicas(0, 0, 0, 0),
				contests(apply.Contest{Child: `Deployment "shop-connector"`, Field: "spec.replicas", Managers: `"theirs"`})},
			expected{
				stalled: heldAtNone, available: "False " + heldAtNone,
				contested: `True WrittenByOthers: Others write again and again what the operator wants otherwise: ` +
					`spec.replicas of Deployment "shop-connector" by "theirs". ` +
					"It stays as they write it, and is put back ever more rarely, every 10 minutes in the end. Stop that controller, " +
					"or declare its value where spec.workload has a field for it",
			},
		},
		"the definition is older": {
			[]func(*status.Observation){func(o *status.Observation) { o.DefinitionOutdated = "It lacks spec.a" }},
			expected{definition: "True FieldsMissing: It lacks spec.a"},
		},
	} {
		t.Run(name, func(t *testing.T) { verify(t, observed(t, c.change...), c.want) })
	}
}

func TestSummaryOfCredentials(t *testing.T) {
	const lastGood, wrong = status.LastGood, "SecretKeyEmpty: A is empty. B is malformed"
	block := []credentials.Finding{
		{Reason: credentials.ReasonShort, Message: "S is short"},
		{Reason: credentials.ReasonEmpty, Message: "A is empty", Blocking: true},
		{Reason: credentials.ReasonMalformed, Message: "B is malformed", Blocking: true},
	}
	awaiting := []credentials.Finding{
		{Reason: "AwaitingOASecretKey", Message: "No O", Blocking: true, Passing: true, Meanwhile: "M"},
	}
	const next = "No O. Meanwhile M. Next: " +
		"paste http://shop-connector.chat.svc/webhook/xpbot/api/zalo/push?param.header.xp-api-key=<API key> as the webhook URL " +
		"into Zalo's console, which shows the OA secret key after its call was answered. Until then events are answered 503, " +
		"so that Zalo's retries keep them"
	lacking := []credentials.Finding{
		{Reason: credentials.ReasonSecretNotFound, Message: "No H", Blocking: true, Sink: true, Meanwhile: "events are accepted and held"},
	}
	notCreated := func(o *status.Observation) { o.Deployment, o.Pods, o.ConfigWritten = nil, nil, false }
	taken := &status.Obstacle{Reason: status.ReasonNameTaken, Message: `Service "shop-connector" exists`, Stalled: true}
	for name, c := range map[string]struct {
		change []func(*status.Observation)
		want   expected
	}{
		"credentials, from the start": {
			[]func(*status.Observation){notCreated, func(o *status.Observation) { o.Findings = block }},
			expected{stalled: wrong, credentials: "False " + wrong, available: "False NotCreated: There is no Deployment yet"},
		},
		"credentials, and the OA secret key is awaited": {
			[]func(*status.Observation){func(o *status.Observation) { o.Findings = append(slices.Clone(awaiting), block[1]) }},
			expected{stalled: "SecretKeyEmpty: A is empty. No O. Meanwhile M", credentials: "False SecretKeyEmpty: A is empty. No O. Meanwhile M"},
		},
		"credentials, while serving": {
			[]func(*status.Observation){func(o *status.Observation) { o.Findings = block }},
			expected{stalled: wrong, credentials: "False " + wrong},
		},
		"credentials, while the workload is down": {
			[]func(*status.Observation){down(), func(o *status.Observation) { o.Findings = block }},
			expected{stalled: wrong, credentials: "False " + wrong, available: "False Starting: The pod is starting"},
		},
		"credentials before anything else in the way": {
			[]func(*status.Observation){func(o *status.Observation) { o.Findings, o.Obstacle = block, taken }},
			expected{
				stalled:     `SecretKeyEmpty: A is empty. B is malformed. Service "shop-connector" exists` + lastGood,
				credentials: "False SecretKeyEmpty: A is empty. B is malformed",
			},
		},
		"the OA secret key is yet to come": {
			[]func(*status.Observation){func(o *status.Observation) { o.Findings = awaiting }},
			expected{reconciling: "AwaitingOASecretKey: " + next, credentials: "False AwaitingOASecretKey: " + next},
		},
		"the OA secret key is yet to come, and the pod": {
			[]func(*status.Observation){down(), func(o *status.Observation) { o.Findings = awaiting }},
			expected{
				reconciling: "Starting: The pod is starting", available: "False Starting: The pod is starting",
				credentials: "False AwaitingOASecretKey: " + next,
			},
		},
		"the sink lacks a credential": {
			[]func(*status.Observation){func(o *status.Observation) { o.Findings = lacking }},
			expected{
				stalled:     "SecretNotFound: No H. Meanwhile events are accepted and held",
				credentials: "False SecretNotFound: No H. Meanwhile events are accepted and held",
				delivering:  "False CredentialMissing: No H. Meanwhile events are accepted and held",
			},
		},
		"a Secret that cannot be read": {
			[]func(*status.Observation){func(o *status.Observation) {
				o.Unread, o.Obstacle = true, &status.Obstacle{Reason: status.ReasonApplyFailed, Message: "No"}
			}},
			expected{
				reconciling: "ApplyFailed: No" + lastGood,
				credentials: "Unknown SecretUnreadable: A Secret could not be read, and what was read of it before stays in use: Ready says why",
			},
		},
	} {
		t.Run(name, func(t *testing.T) { verify(t, observed(t, c.change...), c.want) })
	}
}

// TestNotJudged: while nobody could look at the credentials, their last verdict goes.
func TestNotJudged(t *testing.T) {
	o := observed(t, func(o *status.Observation) {
		o.Judged, o.Obstacle = false, &status.Obstacle{Reason: status.ReasonApplyRefused, Message: "No"}
	})
	o.Connector.Status = status.Compute(observed(t))
	o.Connector.Generation++
	got := meta.FindStatusCondition(status.Compute(o).Conditions, v1alpha1.ConditionCredentialsResolved)
	if got == nil || got.Status != metav1.ConditionUnknown || got.Reason != status.ReasonNotJudged ||
		got.ObservedGeneration != o.Connector.Generation {
		t.Errorf("got %v", got)
	}
}

// TestComputeRest has what is no condition.
func TestComputeRest(t *testing.T) {
	o := observed(t, func(o *status.Observation) { o.APIKeySecretName = "shop-api-key" })
	got := status.Compute(o)
	got.Conditions = nil
	want := v1alpha1.ChannelConnectorStatus{
		ObservedGeneration: 3,
		Address:            &v1alpha1.Address{URL: "http://shop-connector.chat.svc"},
		APIKeySecretName:   "shop-api-key",
		Replicas:           1,
		Selector:           "app.kubernetes.io/instance=shop,app.kubernetes.io/name=channel-connector",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTransitions: a condition that goes on keeps the time since when, and what ends is removed, whatever was before.
func TestTransitions(t *testing.T) {
	old := metav1.NewTime(start)
	o := observed(t)
	for _, kind := range []string{
		"Foreign", v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling, v1alpha1.ConditionUpdatePending,
		v1alpha1.ConditionDefinitionOutdated, v1alpha1.ConditionFieldContested, v1alpha1.ConditionReady,
	} {
		o.Connector.Status.Conditions = append(o.Connector.Status.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: "X", Message: "x", LastTransitionTime: old,
		})
	}
	before := o.Connector.DeepCopy()
	got := status.Compute(o)
	if diff := cmp.Diff(before, o.Connector); diff != "" {
		t.Errorf("the resource was changed (-before +after):\n%s", diff)
	}
	var kinds []string
	for _, c := range got.Conditions {
		kinds = append(kinds, c.Type)
		if since := c.LastTransitionTime; (c.Type == v1alpha1.ConditionReady || c.Type == "Foreign") != since.Equal(&old) {
			t.Errorf("%s is so since %v", c.Type, since)
		}
	}
	if diff := cmp.Diff([]string{"CredentialsResolved", "Foreign", "Ready", "WorkloadAvailable"}, kinds); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
}
