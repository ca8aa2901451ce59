// Package statustest checks what a ChannelConnector says of itself against the rules by which kubectl, Argo CD and Flux
// judge its health (kstatus), and against what the documents promise. Unit tests and those against a real API server
// use it alike.
package statustest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/config"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/controllers/credentials"
	"xbot.a4b.vn/channel-connector/controllers/status"
	"xbot.a4b.vn/channel-connector/controllers/traffic"
)

var (
	blocking = []string{
		credentials.ReasonSecretNotFound, credentials.ReasonKeyNotFound, credentials.ReasonEmpty, credentials.ReasonTooLarge,
		credentials.ReasonMalformed, credentials.ReasonAPIKeyTwice, credentials.ReasonAPIKeyTooShort,
		credentials.ReasonConfigMapNotFound, credentials.ReasonConfigMapKeyNotFound, credentials.ReasonConfigMapKeyEmpty,
		credentials.ReasonConfigMapKeyTooLarge, credentials.ReasonConfigMapKeyMalformed,
		credentials.ReasonAPIKeyDeleted, credentials.ReasonAPIKeyUnlabelled, credentials.ReasonAPIKeyNameClashes,
	}
	noWorkload = []string{
		status.ReasonNotCreated, status.ReasonStarting, status.ReasonScalingDown, status.ReasonUnschedulable, status.ReasonVolumeNotBound,
		status.ReasonImagePullFailed, status.ReasonContainerNotCreated, status.ReasonCrashLooping, status.ReasonPodsRefused,
		status.ReasonRollingOut, status.ReasonVolumeNotMounted, status.ReasonNodeLost, status.ReasonUnavailable, status.ReasonScaledByOthers,
	}
	inTheWay = []string{
		status.ReasonNameTaken, status.ReasonApplyRefused, status.ReasonApplyFailed, status.ReasonConfigRefused, status.ReasonNamespaceFull,
		status.ReasonNotAllowed,
	}
	awaited = ofEach(func(t channel.Type) string { return credentials.ReasonAwaiting(v1alpha1.ChannelType(t.Name)) })
	equal   = append(ofEach(func(t channel.Type) string { return config.ReasonEqualsAPIKey(t.Words.SecretName) }),
		config.ReasonEqualsAPIKey("Direct Line secret"), config.ReasonEqualsAPIKey("partner key"))
	refusing = []string{status.ReasonInboxFull, status.ReasonInboxFailing, traffic.ReasonWrongSecretSuspected}
	notReady = slices.Concat(blocking, equal, noWorkload, inTheWay, refusing)
)

// ofEach are the reasons that have the word of a type for its signing key. Those of an AzureBot are Azure's own, and
// stand in no Secret.
func ofEach(reason func(channel.Type) string) (reasons []string) {
	for _, t := range types.Channels {
		if t.Name != string(v1alpha1.ChannelAzureBot) {
			reasons = append(reasons, reason(t))
		}
	}
	return reasons
}

// Reasons are those that a condition may have with a status, which is written "Ready=True".
var Reasons = map[string][]string{
	"Ready=True":                  {status.ReasonReady, status.ReasonScaledToZero},
	"Ready=False":                 slices.Concat(notReady, awaited),
	"Reconciling=True":            slices.Concat(notReady, awaited),
	"Stalled=True":                notReady,
	"CredentialsResolved=True":    {status.ReasonResolved, status.ReasonResolvedWithWarnings},
	"CredentialsResolved=False":   slices.Concat(blocking, equal, awaited),
	"CredentialsResolved=Unknown": {status.ReasonNotJudged, status.ReasonSecretUnreadable},
	"Exposed=True":                {status.ReasonExposed, status.ReasonCertificateExpiring},
	"Exposed=False": {
		status.ReasonPathTaken, status.ReasonGatewayAPIMissing, status.ReasonRouteRefused, status.ReasonCertificateInvalid,
	},
	"Exposed=Unknown": {
		status.ReasonPending, status.ReasonNotWritten, status.ReasonGatewayUnknown, status.ReasonHTTPOnly, status.ReasonSecretUnreadable,
	},
	"WebhookRegistered=True": {status.ReasonRegistered},
	"WebhookRegistered=False": {
		status.ReasonPending, status.ReasonRegistering, status.ReasonRegistrationFailed, status.ReasonCredentialRefused,
		status.ReasonCredentialTaken,
	},
	"SignatureVerified=True":    {traffic.ReasonVerified},
	"SignatureVerified=False":   {traffic.ReasonWrongSecretSuspected, traffic.ReasonNotEnforced, traffic.ReasonAwaitingKeys},
	"SignatureVerified=Unknown": {traffic.ReasonNothingVerified, traffic.ReasonNoSecretKey, traffic.ReasonNotRead},
	"Receiving=True":            {traffic.ReasonCallsReceived},
	"Receiving=False":           {traffic.ReasonNoCallYet},
	"Receiving=Unknown":         {traffic.ReasonNotRead},
	"InboxHealthy=True":         {traffic.ReasonEventsStored},
	"InboxHealthy=False":        {traffic.ReasonFull, traffic.ReasonFailing},
	"InboxHealthy=Unknown":      {traffic.ReasonNotRead},
	"Delivering=True":           {traffic.ReasonEventsTaken},
	"Delivering=False":          {traffic.ReasonSinkFailing, traffic.ReasonPaused, traffic.ReasonCredentialMissing},
	"Delivering=Unknown":        {traffic.ReasonNotRead},
	"DeadLetters=True":          {traffic.ReasonEventsGivenUp},
	"DeadLetters=False":         {traffic.ReasonNoDeadLetters},
	"DeadLetters=Unknown":       {traffic.ReasonNotRead},
	"WorkloadAvailable=True":    {status.ReasonAvailable, status.ReasonScaledToZero},
	"WorkloadAvailable=False":   noWorkload,
	"UpdatePending=True":        {status.ReasonWaitsForTurn, status.ReasonUpgradesStopped},
	"InboxGrowing=True": {
		status.ReasonResizeRefused, status.ReasonResizeFailed, status.ReasonFileSystemPending, status.ReasonVolumeResizing,
		status.ReasonVolumeTooSmall, status.ReasonVolumeNotBound, status.ReasonRollingOut,
	},
	"FieldContested=True":     {status.ReasonWrittenByOthers, status.ReasonChangedOnAdmission},
	"DefinitionOutdated=True": {status.ReasonFieldsMissing},
}

// Check returns what is wrong with the status of a resource that the operator has looked at; nothing when all is well.
// It holds at every moment, settled or not.
func Check(c *v1alpha1.ChannelConnector) []string {
	wrong := checkGenerations(c)
	for i, condition := range c.Status.Conditions {
		if i > 0 && c.Status.Conditions[i-1].Type >= condition.Type {
			wrong = append(wrong, fmt.Sprintf("%s: not sorted, or there twice", condition.Type))
		}
		for _, problem := range checkCondition(condition) {
			wrong = append(wrong, fmt.Sprintf("%s: %s", condition.Type, problem))
		}
	}
	return append(wrong, checkSummary(c.Status.Conditions)...)
}

func checkGenerations(c *v1alpha1.ChannelConnector) (wrong []string) {
	observed := c.Status.ObservedGeneration
	if observed < 1 || observed > c.Generation {
		wrong = append(wrong, fmt.Sprintf("observedGeneration is %d, and the generation %d", observed, c.Generation))
	}
	for _, condition := range c.Status.Conditions {
		if condition.ObservedGeneration != observed {
			wrong = append(wrong, fmt.Sprintf("%s: observedGeneration is %d, not %d", condition.Type, condition.ObservedGeneration, observed))
		}
	}
	return wrong
}

// reason is what the API conventions ask for.
var reason = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,63}$`)

// maxMessage is far below what the API server takes, in bytes.
const maxMessage = 2048

func checkCondition(c metav1.Condition) (wrong []string) {
	if !reason.MatchString(c.Reason) {
		wrong = append(wrong, fmt.Sprintf("the reason %q is not CamelCase", c.Reason))
	}
	if known := Reasons[c.Type+"="+string(c.Status)]; !slices.Contains(known, c.Reason) {
		wrong = append(wrong, fmt.Sprintf("%s with the reason %q is not documented", c.Status, c.Reason))
	}
	if strings.TrimSpace(c.Message) == "" || len(c.Message) > maxMessage {
		wrong = append(wrong, fmt.Sprintf("a message of %d bytes", len(c.Message)))
	}
	if c.LastTransitionTime.IsZero() {
		wrong = append(wrong, "no lastTransitionTime")
	}
	return wrong
}

// checkSummary sees that Ready sums up the others.
func checkSummary(conditions []metav1.Condition) (wrong []string) {
	find := func(kind string) *metav1.Condition { return meta.FindStatusCondition(conditions, kind) }
	ready, reconciling, stalled := find(v1alpha1.ConditionReady), find(v1alpha1.ConditionReconciling), find(v1alpha1.ConditionStalled)
	available, resolved := find(v1alpha1.ConditionWorkloadAvailable), find(v1alpha1.ConditionCredentialsResolved)
	if ready == nil || available == nil {
		return []string{"Ready or WorkloadAvailable is missing"}
	}
	isTrue := ready.Status == metav1.ConditionTrue
	wrong = checkProgress(*ready, reconciling, stalled)
	if isTrue && (available.Status != metav1.ConditionTrue || resolved == nil || resolved.Status != metav1.ConditionTrue) {
		wrong = append(wrong, "Ready, but not WorkloadAvailable and CredentialsResolved")
	}
	// What is in the way of writing may be in the way of looking at credentials.
	if resolved == nil || resolved.Status == metav1.ConditionTrue || slices.Contains(inTheWay, ready.Reason) {
		return wrong
	}
	if slices.Contains(awaited, resolved.Reason) {
		return wrong // waiting helps
	}
	if stalled == nil || stalled.Reason != resolved.Reason {
		wrong = append(wrong, "CredentialsResolved is False, and Stalled does not say why")
	}
	return wrong
}

// checkProgress sees that a resource that is not Ready either moves or is stuck, for the reason that Ready has.
func checkProgress(ready metav1.Condition, reconciling, stalled *metav1.Condition) (wrong []string) {
	if reconciling != nil && stalled != nil {
		wrong = append(wrong, "Reconciling and Stalled at once")
	}
	if (ready.Status == metav1.ConditionTrue) == (reconciling != nil || stalled != nil) {
		wrong = append(wrong, fmt.Sprintf("Ready is %s, and Reconciling is %v, Stalled %v", ready.Status, reconciling != nil, stalled != nil))
	}
	for _, why := range []*metav1.Condition{reconciling, stalled} {
		if why != nil && (why.Reason != ready.Reason || why.Message != ready.Message) {
			wrong = append(wrong, fmt.Sprintf("%s says other than Ready: %s: %s", why.Type, why.Reason, why.Message))
		}
	}
	return wrong
}
