package traffic

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/report"
	"xbot.a4b.vn/channel-connector/connector/types"
)

const (
	// minFailed is how many calls in a row fail before a wrong secret is suspected.
	minFailed = 3
	// minSuspect and minSuspectFor are how many calls fail, and over how long, before a resource is not Ready whose
	// keys never verified a call.
	minSuspect    = 20
	minSuspectFor = 10 * time.Minute
	// unusedAfter is after how long a process reports a key as unused, and disusedAfter how much later another key must
	// have been used.
	unusedAfter  = time.Hour
	disusedAfter = 24 * time.Hour
)

// signature judges whether calls verify. Only keys that never verified a call affect Ready: otherwise a stranger with
// an API key could make a healthy channel fail.
func (j *judgement) signature() metav1.Condition {
	const kind = v1alpha1.ConditionSignatureVerified
	s, of := j.picture.Channel.Signature, j.channelType()
	ids, verified := j.signingKeys()
	j.next.VerifiedKeys = verified
	switch {
	case s.Mode != string(v1alpha1.SignatureEnforce):
		return condition(kind, metav1.ConditionFalse, ReasonNotEnforced, notEnforced(of.Words.Field, s))
	case len(ids) == 0:
		return condition(kind, metav1.ConditionUnknown, ReasonNoSecretKey, "No "+of.Words.SecretName+" is in use, so events are "+
			"answered 503: see CredentialsResolved")
	case s.Awaiting:
		return condition(kind, metav1.ConditionFalse, ReasonAwaitingKeys, fmt.Sprintf("No %s could be fetched so far (%s), so events are "+
			"answered 503: the log of the pod says why. Let it out to that address", of.Words.SecretName, s.Keys[0].Name))
	}
	// If there are more keys than a report holds, one that it lacks may have verified calls.
	suspected := len(s.Keys) < report.MaxKeys && (slices.Equal(j.old.SuspectedKeys, ids) ||
		s.Failed >= minSuspect && s.LastFailed.Sub(s.FailingSince) >= minSuspectFor)
	if suspected && len(verified) == 0 {
		j.next.SuspectedKeys = ids
	}
	switch {
	case len(j.next.SuspectedKeys) > 0 && s.Failed < minFailed && j.standing(kind, ReasonWrongSecretSuspected) != nil:
		return *j.before.Find(kind) // a process that began since has seen less
	case len(j.next.SuspectedKeys) > 0 || failing(s):
		return condition(kind, metav1.ConditionFalse, ReasonWrongSecretSuspected, wrongSecret(of, s, len(verified) > 0))
	case len(verified) == 0:
		return condition(kind, metav1.ConditionUnknown, ReasonNothingVerified, "No signed call has come since the "+
			of.Words.SecretName+"s in use are there")
	}
	return condition(kind, metav1.ConditionTrue, ReasonVerified, "Calls verify with one of the "+of.Words.SecretName+"s in use")
}

// channelType is that of the resource, whose words the messages use.
func (j *judgement) channelType() channel.Type { return types.Channel(string(j.connector.Spec.Type)) }

// failing reports whether enough of the latest calls failed.
func failing(s report.Signature) bool {
	return s.Failed >= minFailed && !slices.ContainsFunc(s.Keys, func(k report.Key) bool { return k.LastUsed.After(s.LastFailed) })
}

// signingKeys are the fingerprints of the keys in use, and of those that have verified a call.
func (j *judgement) signingKeys() (all, verified []string) {
	for _, key := range j.picture.Channel.Signature.Keys {
		all = append(all, key.ID)
		if !key.LastUsed.IsZero() || slices.Contains(j.old.VerifiedKeys, key.ID) {
			verified = append(verified, key.ID)
		}
	}
	slices.Sort(all)
	slices.Sort(verified)
	return slices.Compact(all), slices.Compact(verified)
}

// wrongSecret names the wanted secret: teams mix up the secrets of a platform.
func wrongSecret(of channel.Type, s report.Signature, verifiedBefore bool) string {
	if verifiedBefore {
		return fmt.Sprintf("The signatures of the latest %s calls match no %s in use, although earlier ones did. Either %s. "+
			"Or a stranger has the API key and makes these calls: rotate it", atLeast(s.Failed), of.Words.SecretName, of.Words.NoLonger)
	}
	return fmt.Sprintf("The signatures of %s calls match no %s in use, and no call ever verified. %s",
		atLeast(max(s.Failed, minFailed)), of.Words.SecretName, of.Words.NeverVerified)
}

func notEnforced(field string, s report.Signature) string {
	if s.Mode == string(v1alpha1.SignatureOff) {
		return field + ".mode is Off: every holder of the API key can send events in any user's name"
	}
	message := field + ".mode is Audit: calls are let in although their signature is wrong"
	if failing(s) {
		return message + fmt.Sprintf(", as that of the latest %s calls is", atLeast(s.Failed))
	}
	return message
}

// atLeast is a number in steps, so that a message stays as it is while calls come.
func atLeast(n int64) string {
	step := int64(minFailed)
	for _, next := range []int64{minSuspect, 100, 1000, 10_000} {
		if n >= next {
			step = next
		}
	}
	return fmt.Sprintf("at least %d", step)
}

func (j *judgement) receiving() metav1.Condition {
	const kind = v1alpha1.ConditionReceiving
	if j.next.LastCallTime == nil {
		return condition(kind, metav1.ConditionFalse, ReasonNoCallYet,
			"No authentic call has come yet: paste the webhook's URL with the API key into the platform's console")
	}
	message := "The last authentic call that is known came at " + clockTime(j.next.LastCallTime.Time)
	if unused := j.unused(); len(unused) > 0 {
		message += ". Not used by the latest calls: " + strings.Join(unused, ", ")
	}
	return condition(kind, metav1.ConditionTrue, ReasonCallsReceived, message)
}

// unused are the keys without a call, if others of their kind have calls.
func (j *judgement) unused() (names []string) {
	for _, kind := range []struct {
		name string
		keys []report.Key
	}{
		{"API key", j.picture.Channel.APIKeys}, {j.channelType().Words.SecretName, j.picture.Channel.Signature.Keys},
	} {
		newest := map[string]time.Time{} // by account: the keys of one are no measure for another's
		for _, key := range kind.keys {
			newest[key.Account] = latest(newest[key.Account], key.LastUsed)
		}
		for _, key := range kind.keys {
			newest := newest[key.Account]
			never := key.LastUsed.IsZero() && j.now.Sub(j.picture.Began) >= unusedAfter
			if !newest.IsZero() && (never || !key.LastUsed.IsZero() && newest.Sub(key.LastUsed) >= disusedAfter) {
				names = append(names, fmt.Sprintf("%s %q", kind.name, key.Name))
			}
		}
	}
	return names
}
