package traffic

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/report"
)

// The reasons of the conditions.
const (
	ReasonVerified             = "Verified"
	ReasonWrongSecretSuspected = "WrongSecretSuspected"
	ReasonNotEnforced          = "NotEnforced"
	ReasonAwaitingKeys         = "AwaitingKeys"
	ReasonNothingVerified      = "NothingVerifiedYet"
	ReasonNoSecretKey          = "NoSecretKey"
	ReasonCallsReceived        = "CallsReceived"
	ReasonNoCallYet            = "NoCallYet"
	ReasonEventsStored         = "EventsStored"
	ReasonFull                 = "Full"
	ReasonFailing              = "Failing"
	ReasonEventsTaken          = "EventsTaken"
	ReasonSinkFailing          = "SinkFailing"
	ReasonCredentialMissing    = "CredentialMissing" //nolint:gosec // the name of a reason
	ReasonPaused               = "Paused"
	ReasonNoDeadLetters        = "NoDeadLetters"
	ReasonEventsGivenUp        = "EventsGivenUp"
	ReasonNotRead              = "ConnectorNotRead"
)

// maxAge bounds how old the times in a status are.
const maxAge = 10 * time.Minute

// judge assesses a picture for a resource, whose status has the last assessment.
func judge(c *v1alpha1.ChannelConnector, p Picture, now time.Time) Assessment {
	j := &judgement{connector: c, picture: p, now: now, before: Standing(c.Status), next: &v1alpha1.TrafficStatus{}}
	if j.before.Traffic != nil {
		j.old = *j.before.Traffic
	}
	j.next.Pending = rough(j.old.Pending, p.Channel.Delivery.Pending)
	j.next.DeadLetters = rough(j.old.DeadLetters, p.Channel.DeadLetters.Count)
	j.next.LastEventTime = recent(j.old.LastEventTime, p.Channel.LastEvent, now)
	j.next.LastCallTime = recent(j.old.LastCallTime, p.Channel.LastAuthentic, now)
	return Assessment{
		Conditions: []metav1.Condition{j.deadLetters(), j.delivering(), j.inbox(), j.receiving(), j.signature()},
		Traffic:    j.next,
	}
}

// unread is the assessment while no pod can be read.
func unread(c *v1alpha1.ChannelConnector, why string) Assessment {
	v := Assessment{Traffic: c.Status.Traffic}
	if v.Traffic == nil {
		v.Traffic = &v1alpha1.TrafficStatus{}
	}
	for _, kind := range Types {
		v.Conditions = append(v.Conditions, condition(kind, metav1.ConditionUnknown, ReasonNotRead, why))
	}
	return v
}

// judgement is an assessment in the making.
type judgement struct {
	connector *v1alpha1.ChannelConnector
	picture   Picture
	now       time.Time
	before    Assessment
	// old is the status before, next the one to come.
	old  v1alpha1.TrafficStatus
	next *v1alpha1.TrafficStatus
}

// standing is a condition that has a reason already; nil if it has another one.
func (j *judgement) standing(kind, reason string) *metav1.Condition {
	if c := j.before.Find(kind); c != nil && c.Reason == reason {
		return c
	}
	return nil
}

func (j *judgement) deadLetters() metav1.Condition {
	const kind = v1alpha1.ConditionDeadLetters
	d := j.picture.Channel.DeadLetters
	if d.Count == 0 {
		return condition(kind, metav1.ConditionFalse, ReasonNoDeadLetters, "No event was given up")
	}
	before := j.standing(kind, ReasonEventsGivenUp)
	if d.LatestReason == "" && before != nil && j.next.DeadLetters == j.old.DeadLetters {
		return *before // a process that began since knows no reason
	}
	message := fmt.Sprintf("About %d events were given up and are kept "+
		"for %s", j.next.DeadLetters, j.connector.Spec.Delivery.DeadLetterRetention.Duration)
	if d.LatestReason != "" {
		message += fmt.Sprintf(". The latest: %s: %s", d.LatestReason, quote(d.LatestError))
	}
	return condition(kind, metav1.ConditionTrue, ReasonEventsGivenUp,
		message+". \"connector deadletters\" in the pod lists them, and sends them again once the bot takes them")
}

func (j *judgement) delivering() metav1.Condition {
	const kind = v1alpha1.ConditionDelivering
	d := j.picture.Channel.Delivery
	switch {
	case j.standing(kind, ReasonCredentialMissing) != nil:
		return *j.before.Find(kind) // the operator knows it without a report
	case d.Paused && !j.connector.Spec.Delivery.Paused:
		return condition(kind, metav1.ConditionFalse, ReasonPaused,
			fmt.Sprintf("The connector holds about %d events: it lacks a credential of the sink, or has not taken the newest "+
				"configuration yet", j.next.Pending))
	case j.connector.Spec.Delivery.Paused:
		return condition(kind, metav1.ConditionFalse, ReasonPaused,
			fmt.Sprintf("delivery.paused holds about %d events: set it to false to deliver them", j.next.Pending))
	case d.Pending == 0 && (!d.FailingSince.IsZero() || d.LastTaken.IsZero()):
		return condition(kind, metav1.ConditionTrue, ReasonEventsTaken, "No event waits for the sink")
	case !d.FailingSince.IsZero():
		return j.sinkFailing()
	case j.standing(kind, ReasonSinkFailing) != nil && d.Pending > 0 && d.LastTaken.IsZero():
		j.next.FailingSince = j.old.FailingSince
		return *j.before.Find(kind) // a process that began since has not tried the sink
	}
	return condition(kind, metav1.ConditionTrue, ReasonEventsTaken, "The sink takes what is sent to it")
}

func (j *judgement) sinkFailing() metav1.Condition {
	d := j.picture.Channel.Delivery
	since := metav1.NewTime(d.FailingSince.Truncate(time.Second).UTC())
	if j.old.FailingSince != nil && j.old.FailingSince.Before(&since) && !d.LastTaken.After(j.old.FailingSince.Time) {
		since = *j.old.FailingSince
	}
	j.next.FailingSince = &since
	return condition(v1alpha1.ConditionDelivering, metav1.ConditionFalse, ReasonSinkFailing, fmt.Sprintf(
		"The sink has taken no event since %s: %s. About %d events wait, each for at most delivery.retry.maxAge (%s): check that %s",
		clockTime(since.Time), quote(d.LastError), j.next.Pending, j.connector.Spec.Delivery.Retry.MaxAge.Duration, j.taking()))
}

// taking is what the sink has to do.
func (j *judgement) taking() string {
	if j.connector.Spec.Sink.HTTP == nil {
		return "the sink is there and takes what is sent to it"
	}
	return "the bot at sink.http.url runs and answers 2xx"
}

func (j *judgement) inbox() metav1.Condition {
	const kind = v1alpha1.ConditionInboxHealthy
	in := j.picture.Inbox
	switch in.State {
	case report.InboxOK:
	case report.InboxFull:
		return condition(kind, metav1.ConditionFalse, ReasonFull, fmt.Sprintf(
			"The inbox takes no more events since %s (%s): calls are answered 503. It empties as the sink takes events: see Delivering%s",
			clockTime(in.Since), quote(in.Error), j.enlarge()))
	case report.InboxFailing:
		return condition(kind, metav1.ConditionFalse, ReasonFailing, fmt.Sprintf(
			"Events cannot be stored since %s: %s. Calls are answered 503: look at the pod's log and at the "+
				"inbox's storage", clockTime(in.Since), quote(in.Error)))
	}
	return condition(kind, metav1.ConditionTrue, ReasonEventsStored, "Events are stored"+j.lasts(in.FullInSeconds))
}

// enlarge continues a sentence with how to get a larger inbox, if the resource says its size.
func (j *judgement) enlarge() string {
	if j.connector.Spec.Inbox.Store() == nil {
		return ""
	}
	return ", or raise inbox.embedded.size: InboxGrowing says if its volume cannot follow"
}

// lasts says how long an inbox lasts, in steps, so that the status is not written each minute.
func (j *judgement) lasts(seconds float64) string {
	for _, step := range []struct {
		below time.Duration
		words string
	}{
		{time.Hour, "an hour"}, {6 * time.Hour, "6 hours"}, {24 * time.Hour, "a day"}, {7 * 24 * time.Hour, "a week"},
	} {
		if seconds > 0 && seconds < step.below.Seconds() {
			return ". At the rate of the last minutes the inbox is full in less than " + step.words + ": see Delivering" + j.enlarge()
		}
	}
	return ""
}

func condition(kind string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: Cut(message, maxMessage)}
}

// maxQuote bounds a quotation of a connector, and maxMessage a whole message, in bytes. The limit of a condition is
// higher: a message that is cut there would differ from its assessment forever.
const maxQuote, maxMessage = 300, 1000

func quote(words string) string { return Cut(words, maxQuote) }

// Cut cuts a text to so many bytes at most.
func Cut(words string, most int) string {
	const more = "…"
	if len(words) <= most {
		return words
	}
	return strings.ToValidUTF8(words[:most-len(more)], "") + more
}

// rough keeps the standing number while it is at most twice or half of the present one.
func rough(stands, is int64) int64 {
	if near(stands, is) {
		return stands
	}
	return is
}

// near reports whether numbers are about the same. Only 0 is near 0.
func near(a, b int64) bool { return a == b || a > 0 && b > 0 && a <= 2*b && b <= 2*a }

// recent keeps the standing time while it is near the present one, which a node's clock may have put into the future.
func recent(stands *metav1.Time, is, now time.Time) *metav1.Time {
	if is.After(now) {
		is = now
	}
	if is.IsZero() || stands != nil && is.Sub(stands.Time).Abs() < maxAge {
		return stands
	}
	t := metav1.NewTime(is.Truncate(time.Second).UTC())
	return &t
}

func clockTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
