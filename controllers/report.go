package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	"xbot.a4b.vn/channel-connector/controllers/children"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// patience is how long passes may fail for a moment before the status says so. A
// resource without a status is told at once.
const patience = 5 * time.Second

// reportTimeout bounds the report of a pass that ran out of time.
const reportTimeout = 10 * time.Second

// report ends a pass: it writes the status, once and only when it changed, and
// records an event for what happened. A pass that failed says what it knows, and what
// stopped it.
func (p *pass) report(ctx context.Context, failed error) error {
	if failed != nil {
		if p.momentary(failed) || errors.Is(ctx.Err(), context.Canceled) {
			return failed
		}
		if ctx.Err() != nil {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), reportTimeout)
			defer cancel()
		}
		p.seen.Obstacle = p.obstacle(failed)
		if err := p.observeWorkload(ctx); err != nil {
			return errors.Join(failed, err)
		}
	} else {
		p.failures.end(client.ObjectKeyFromObject(p.connector))
	}
	p.seen.DefinitionOutdated = p.definition.outdated()
	p.noteContests()
	old, next := p.connector.Status, status.Compute(p.seen)
	p.noteUpgrade()
	if left := status.InboxPatience(next, p.seen.Now); left > 0 {
		p.lookAgain(left)
	}
	if equality.Semantic.DeepEqual(old, next) {
		return failed
	}
	err := p.writeStatus(ctx, next)
	switch {
	case apierrors.IsNotFound(err): // deleted meanwhile
		return failed
	case err != nil:
		return errors.Join(failed, fmt.Errorf("write the status: %w", err))
	}
	p.transition(ctx, old, next)
	return failed
}

// momentary reports whether a failure needs no word yet: the next pass is near.
func (p *pass) momentary(failed error) bool {
	since := p.failures.note(client.ObjectKeyFromObject(p.connector), p.Clock.Now())
	switch {
	case apierrors.IsConflict(failed), apierrors.HasStatusCause(failed, corev1.NamespaceTerminatingCause):
		return true
	case refused(failed), len(p.connector.Status.Conditions) == 0:
		return false
	}
	return p.Clock.Since(since) < patience
}

// obstacle is a failure as the status tells it.
func (p *pass) obstacle(failed error) *status.Obstacle {
	if refused(failed) {
		return &status.Obstacle{Reason: status.ReasonApplyRefused, Message: p.words(status.ReasonApplyRefused, "The API server refuses what the operator asks for: ", failed)}
	}
	return &status.Obstacle{Reason: status.ReasonApplyFailed, Message: p.words(status.ReasonApplyFailed, "The operator's request failed and is repeated: ", failed)}
}

// words are what a failure says. While it goes on to say the same, its first words
// stay: they may hold a time or an id, and a status that changes with each pass would
// cause the next one.
func (p *pass) words(reason, introduction string, failed error) string {
	message := introduction + failed.Error()
	ready := meta.FindStatusCondition(p.connector.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Reason != reason || ready.ObservedGeneration != p.connector.Generation {
		return message
	}
	asked := message
	if answer, ok := errors.AsType[*apierrors.StatusError](failed); ok {
		asked = strings.TrimSuffix(message, answer.Error())
	}
	before := strings.TrimSuffix(ready.Message, status.LastGood)
	if strings.HasPrefix(ready.Message, asked) || status.SameWords(before, status.Shorten(message)) {
		return before
	}
	return message
}

// writeStatus sends the status as a whole, for the version of the resource that the
// pass has seen: one that was created again is another, and so is one with a status
// of which the operator never heard that it was written.
func (p *pass) writeStatus(ctx context.Context, next v1alpha1.ChannelConnectorStatus) error {
	patch, err := json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/resourceVersion", "value": p.connector.ResourceVersion},
		{"op": "add", "path": "/status", "value": next},
	})
	if err != nil {
		return err
	}
	return p.Users.Status().Patch(ctx, p.connector.DeepCopy(), client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(apply.FieldManager))
}

// noteContests notes which fields are left to others, to look again when the next one is
// to be put back.
func (p *pass) noteContests() {
	contests, next := p.contests.Of(client.ObjectKeyFromObject(p.connector))
	if p.seen.Contests = contests; next > 0 {
		p.lookAgain(next)
	}
}

// noteUpgrade keeps whether the upgraded workload comes up. A pass with something
// in the way cannot tell. What else is wrong with the resource, such as a Secret that
// is missing, is no reason to stop other connectors' upgrades.
func (p *pass) noteUpgrade() {
	if p.input.Upgrading && p.wanted != nil && p.seen.Obstacle == nil {
		p.upgradeFailed = status.WorkloadStalled(p.seen)
		p.upgrades.note(client.ObjectKeyFromObject(p.connector), p.upgradeFailed)
	}
}

// refused reports whether the API server, or a webhook of somebody's, will go on
// to refuse what was asked.
func refused(err error) bool {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return false
	}
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err) || apierrors.IsMethodNotSupported(err) ||
		apierrors.ReasonForError(err) == metav1.StatusReasonUnknown && apierrors.IsInternalError(err)
}

// transition records what changed for somebody who looks at events or logs.
func (p *pass) transition(ctx context.Context, old, next v1alpha1.ChannelConnectorStatus) {
	p.readyChanged(ctx, old, next)
	p.trafficChanged(old, next)
	if outdated := p.seen.DefinitionOutdated; outdated != "" && !meta.IsStatusConditionTrue(old.Conditions, v1alpha1.ConditionDefinitionOutdated) {
		p.event(corev1.EventTypeWarning, v1alpha1.ConditionDefinitionOutdated, outdated)
	}
	resolved := meta.FindStatusCondition(next.Conditions, v1alpha1.ConditionCredentialsResolved)
	before := meta.FindStatusCondition(old.Conditions, v1alpha1.ConditionCredentialsResolved)
	if resolved != nil && resolved.Reason == status.ReasonResolvedWithWarnings && (before == nil || before.Message != resolved.Message) {
		p.event(corev1.EventTypeWarning, resolved.Reason, resolved.Message)
	}
	contested := meta.FindStatusCondition(next.Conditions, v1alpha1.ConditionFieldContested)
	was := meta.FindStatusCondition(old.Conditions, v1alpha1.ConditionFieldContested)
	if contested != nil && (was == nil || was.Message != contested.Message) {
		p.event(corev1.EventTypeWarning, contested.Reason, contested.Message)
	}
	if p.upgradeFailed && !stalled(old) {
		p.event(corev1.EventTypeWarning, status.ReasonUpgradesStopped, "This connector did not come up with the pod template of this version of the operator: no other one is upgraded until it does, or until its spec changes")
	}
}

// readyChanged records that Ready began, or that something new is in its way.
func (p *pass) readyChanged(ctx context.Context, old, next v1alpha1.ChannelConnectorStatus) {
	was, is := meta.FindStatusCondition(old.Conditions, v1alpha1.ConditionReady), meta.FindStatusCondition(next.Conditions, v1alpha1.ConditionReady)
	if was == nil {
		was = &metav1.Condition{}
	}
	if was.Reason != is.Reason {
		ctrl.LoggerFrom(ctx).Info("Ready changed", "ready", is.Status, "reason", is.Reason, "message", is.Message)
	}
	switch {
	case is.Status == metav1.ConditionTrue && was.Status != metav1.ConditionTrue:
		p.event(corev1.EventTypeNormal, is.Reason, is.Message)
	case (stalled(next) || status.Trouble(is)) && (was.Reason != is.Reason || was.Message != is.Message):
		p.event(corev1.EventTypeWarning, is.Reason, is.Message)
	}
}

func stalled(s v1alpha1.ChannelConnectorStatus) bool {
	return meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionStalled)
}

// applied notes that a child was written.
func (p *pass) applied(ctx context.Context, child children.Child) {
	ctrl.LoggerFrom(ctx).V(1).Info("applied", "child", child.String())
	if child.Kind.Name != "Secret" || p.current == nil || p.current.is(p.wanted) {
		return
	}
	p.traffic.Soon(client.ObjectKeyFromObject(p.connector))
	taken := "the running pod takes it without a restart"
	if p.current.startDigest != p.wanted.StartDigest {
		taken = "a new pod takes it, since some of it is read only at the start"
	}
	p.event(corev1.EventTypeNormal, "ConfigurationChanged", "Wrote a new configuration: "+taken)
}

func (p *pass) event(kind, reason, message string) {
	const action = "Reconcile"
	p.Recorder.Eventf(p.connector, nil, kind, reason, action, "%s", status.Shorten(message))
}
