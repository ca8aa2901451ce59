package controllers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/controllers/apply"
	"xbot.a4b.vn/channel-connector/controllers/status"
	"xbot.a4b.vn/channel-connector/controllers/traffic"
)

// patience is how long passes may fail before the status says so. A resource without a status is told at once.
const patience = 5 * time.Second

// reportTimeout bounds the report of a pass that ran out of time.
const reportTimeout = 10 * time.Second

// failure is a row of failed passes.
type failure struct {
	since time.Time
	// reason and message are what the status was told of it last; asked is as much of the message as says what was
	// asked for.
	reason, message, asked string
	generation             int64
}

// report ends a pass: it writes the status, once and only if it changed, and records an event for what happened. A
// failed pass reports what it knows, and what stopped it. It returns when to look again; 0 is never.
func (p *pass) report(ctx context.Context, o outcome, failed error) (again time.Duration, err error) {
	if failed == nil {
		p.kept.failure = failure{}
	} else {
		if p.momentary(failed) || errors.Is(ctx.Err(), context.Canceled) {
			return p.again(o), failed
		}
		if ctx.Err() != nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
			defer cancel()
		}
		if o.observed.Deployment == nil { // what was not looked at yet
			if o.observed, err = p.observeWorkload(ctx); err != nil {
				return p.again(o), errors.Join(failed, err)
			}
		}
	}
	again = p.again(o)
	if failed != nil {
		o.failed = p.obstacle(failed)
	}
	seen := p.observation(o)
	var contests time.Duration
	seen.Contests, contests = p.contests.Of(p.key)
	next := status.Compute(seen)
	again = status.Soonest(again, contests, status.LookAgain(seen), status.InboxPatience(next, seen.Now), status.LookAtGateways(seen, next),
		p.damp(&next))
	return again, errors.Join(failed, p.tell(ctx, next, p.noteUpgrade(o, seen), o.resolved.apiKey.inherited))
}

// again is when the pass is to be repeated without an event; 0 is never.
func (p *pass) again(o outcome) time.Duration {
	again := status.Soonest(o.touchAgain, o.observed.hear, o.exposed.again, p.certificatesAgain(o.rendered.input.Config))
	if o.outside() != nil {
		again = status.Soonest(again, p.afterObstacle())
	}
	if r := p.refusal(o.volume); r != nil {
		again = status.Soonest(again, max(r.due.Sub(p.Clock.Now()), time.Millisecond))
	}
	for _, e := range o.resolved.expiring {
		again = status.Soonest(again, max(e.AcceptedUntil.Sub(p.Clock.Now()), time.Millisecond))
	}
	return again
}

// tell writes the status, and records what changed, if anything did.
func (p *pass) tell(ctx context.Context, next v1alpha1.ChannelConnectorStatus, fault status.Fault, keyInherited bool) error {
	old := p.connector.Status
	if equality.Semantic.DeepEqual(old, next) {
		return nil
	}
	err := p.writeStatus(ctx, next)
	switch {
	case apierrors.IsNotFound(err): // deleted meanwhile
		return nil
	case err != nil:
		return fmt.Errorf("write the status: %w", err)
	}
	p.transition(ctx, old, next)
	if keyInherited && old.APIKeySecretName == "" {
		p.tellAPIKeyAdopted(next.APIKeySecretName)
	}
	if fault != status.FaultNone && !stalled(old) {
		p.event(corev1.EventTypeWarning, status.ReasonUpgradeFailed, upgradeFailed(fault))
	}
	return nil
}

// momentary reports whether the status need not mention a failure yet: the next pass is near.
func (p *pass) momentary(failed error) bool {
	p.kept.failure.since = cmp.Or(p.kept.failure.since, p.Clock.Now())
	switch {
	case apierrors.IsConflict(failed), apierrors.HasStatusCause(failed, corev1.NamespaceTerminatingCause):
		return true
	case refused(failed), len(p.connector.Status.Conditions) == 0:
		return false
	}
	return p.Clock.Since(p.kept.failure.since) < patience
}

// obstacle is a failure as the status tells it.
func (p *pass) obstacle(failed error) *status.Obstacle {
	if refused(failed) {
		return p.words(status.ReasonApplyRefused, "The API server refuses what the operator asks for: ", failed)
	}
	return p.words(status.ReasonApplyFailed, "The operator's request failed and is repeated: ", failed)
}

// words are what a failure says. While the same request fails, or the same is said, the first words stay: they may hold
// a time or an id, and a status that changes with each pass would cause the next one.
func (p *pass) words(reason, introduction string, failed error) *status.Obstacle {
	before := p.kept.failure
	now := failure{before.since, reason, introduction + failed.Error(), introduction + failed.Error(), p.connector.Generation}
	if answer, ok := errors.AsType[*apierrors.StatusError](failed); ok {
		now.asked = strings.TrimSuffix(now.message, answer.Error())
	}
	if before.reason == now.reason && before.generation == now.generation &&
		(before.asked == now.asked || status.SameWords(before.message, now.message)) {
		now.message = before.message
	}
	p.kept.failure = now
	return &status.Obstacle{Reason: reason, Message: now.message}
}

// writeStatus sends the whole status, for the version of the resource that the pass has seen: a resource that was
// created again is refused, and so is one whose last status was written without an answer.
func (p *pass) writeStatus(ctx context.Context, next v1alpha1.ChannelConnectorStatus) error {
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/resourceVersion", "value": p.connector.ResourceVersion},
		{"op": "add", "path": "/status", "value": next},
	})
	if err != nil {
		return err
	}
	return p.Users.Status().Patch(ctx, p.connector.DeepCopy(), client.RawPatch(types.JSONPatchType, patch),
		client.FieldOwner(apply.FieldManager))
}

// noteUpgrade keeps, and returns, why an upgraded workload does not come up. A pass with an obstacle cannot tell. What
// else is wrong with the resource, such as a Secret that is missing, is no reason to stop other connectors' upgrades.
func (p *pass) noteUpgrade(o outcome, seen status.Observation) status.Fault {
	if o.rendered.input.Config == nil || seen.Obstacle != nil {
		return status.FaultNone
	}
	if d := seen.Deployment; o.turn.keep == nil && d != nil && d.Status.AvailableReplicas > 0 && status.RolledOut(d) {
		p.upgrades.prove()
	}
	if !o.turn.upgrading {
		return status.FaultNone
	}
	fault := status.UpgradeFault(seen)
	p.upgrades.note(p.key, fault)
	return fault
}

// upgradeFailed is what the event of a failed upgrade says.
func upgradeFailed(fault status.Fault) string {
	const failed = "This connector did not come up with the pod template of this version of the operator: Ready says why. "
	if fault == status.FaultOwn {
		return failed + "The cause is its own, so that other upgrades go on; in this namespace, until a second one fails"
	}
	return failed + "Other upgrades go on until one fails in another namespace as well; in this namespace, until a second one fails"
}

// refused reports whether the API server, or an admission webhook, refused a request and will refuse it again.
func refused(err error) bool {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return false
	}
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || apierrors.IsMethodNotSupported(err) ||
		apierrors.ReasonForError(err) == metav1.StatusReasonUnknown && apierrors.IsInternalError(err)
}

// transition records in events and logs what changed.
func (p *pass) transition(ctx context.Context, old, next v1alpha1.ChannelConnectorStatus) {
	for _, is := range next.Conditions {
		was := cmp.Or(meta.FindStatusCondition(old.Conditions, is.Type), &metav1.Condition{})
		if is.Type == v1alpha1.ConditionReady && was.Reason != is.Reason {
			ctrl.LoggerFrom(ctx).Info("Ready changed", "ready", is.Status, "reason", is.Reason, "message", is.Message)
		}
		reason := is.Reason
		if is.Type == v1alpha1.ConditionDefinitionOutdated || is.Reason == status.ReasonRegistered {
			reason = is.Type
		}
		switch {
		case troubles(*was, is, stalled(next)):
			p.event(corev1.EventTypeWarning, reason, is.Message)
		case slices.Contains(toldWhenTrue, is.Type) && is.Status == metav1.ConditionTrue && was.Status != metav1.ConditionTrue,
			fails(*was) && was.Reason != is.Reason:
			p.event(corev1.EventTypeNormal, reason, is.Message)
		}
	}
}

// toldWhenTrue are the conditions of which an event says that they have become True.
var toldWhenTrue = []string{v1alpha1.ConditionReady, v1alpha1.ConditionExposed, v1alpha1.ConditionWebhookRegistered}

// troubles reports whether a condition has a new problem.
func troubles(was, is metav1.Condition, stalled bool) bool {
	reworded := was.Reason != is.Reason || was.Message != is.Message
	switch is.Type {
	case v1alpha1.ConditionReady:
		return reworded && is.Status != metav1.ConditionTrue && (stalled || status.Trouble(&is))
	case v1alpha1.ConditionCredentialsResolved:
		return reworded && is.Reason == status.ReasonResolvedWithWarnings
	case v1alpha1.ConditionFieldContested:
		return reworded
	case v1alpha1.ConditionExposed:
		return reworded && (is.Status == metav1.ConditionFalse || is.Reason == status.ReasonCertificateExpiring)
	case v1alpha1.ConditionDefinitionOutdated:
		return was.Status != is.Status
	}
	return was.Reason != is.Reason && asksForHelp(is)
}

// unregistered are the reasons for which a webhook stays unregistered until a person helps, or for a while.
var unregistered = []string{status.ReasonRegistrationFailed, status.ReasonCredentialRefused, status.ReasonCredentialTaken}

// asksForHelp reports whether a person should look at a condition.
func asksForHelp(c metav1.Condition) bool { return fails(c) || stuck(c) || isUnregistered(c) }

func isUnregistered(c metav1.Condition) bool {
	return c.Type == v1alpha1.ConditionWebhookRegistered && slices.Contains(unregistered, c.Reason)
}

// stuck reports whether an inbox cannot grow.
func stuck(c metav1.Condition) bool {
	return c.Type == v1alpha1.ConditionInboxGrowing &&
		slices.Contains([]string{status.ReasonResizeRefused, status.ReasonResizeFailed}, c.Reason)
}

// fails reports whether a condition of the traffic asks for help.
func fails(c metav1.Condition) bool {
	return slices.Contains([]string{
		traffic.ReasonWrongSecretSuspected, traffic.ReasonFull, traffic.ReasonFailing, traffic.ReasonSinkFailing,
		traffic.ReasonCredentialMissing, traffic.ReasonEventsGivenUp, traffic.ReasonNotRead,
	}, c.Reason) && slices.Contains(traffic.Types, c.Type)
}

func stalled(s v1alpha1.ChannelConnectorStatus) bool {
	return meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionStalled)
}

func (p *pass) event(kind, reason, message string) {
	const action = "Reconcile"
	p.recorder.Eventf(p.connector, nil, kind, reason, action, "%s", status.Shorten(message))
}
