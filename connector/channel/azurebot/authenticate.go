package azurebot

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/channel/azurebot/token"
	"xbot.a4b.vn/channel-connector/connector/channel/scan"
)

// tokenHeader carries "Bearer" and the token.
const tokenHeader = "Authorization"

// ReasonAwaitingKeys: the key of a token may be one that is not fetched yet.
const ReasonAwaitingKeys channel.Reason = "awaiting_keys"

// Precheck refuses by the header alone; see channel.Channel.
func (b *Channel) Precheck(header http.Header) *channel.Refusal {
	if b.mode != channel.SignatureEnforce || !b.hasKeys() {
		return nil
	}
	_, refusal := bearer(header)
	return refusal
}

// authenticate returns why a call is not authentic; nil if it is, or if the mode is Off.
func (b *Channel) authenticate(at time.Time, header http.Header, m *scan.Members) *channel.Refusal {
	if b.mode == channel.SignatureOff {
		return nil
	}
	if !b.hasKeys() {
		return awaiting()
	}
	raw, refusal := bearer(header)
	if refusal != nil {
		return refusal
	}
	claims, err := token.Verify(at, raw, b.authorities)
	switch {
	case errors.Is(err, token.ErrAwaiting):
		return awaiting()
	case err != nil:
		return channel.SignatureWrong("the token " + err.Error())
	default:
		return b.judge(claims, m)
	}
}

// Awaiting reports whether tokens are to be verified and none can be; see channel.Awaiter.
func (b *Channel) Awaiting() bool { return b.mode != channel.SignatureOff && !b.hasKeys() }

// hasKeys reports whether any token can be verified.
func (b *Channel) hasKeys() bool {
	return slices.ContainsFunc(b.authorities, func(a token.Authority) bool { return a.Keys.Present() })
}

// bearer returns the token that a header carries, or why there is none.
func bearer(header http.Header) (raw string, _ *channel.Refusal) {
	value, refusal := channel.SignatureHeader(header, tokenHeader, tokenHeader)
	if refusal != nil {
		return "", refusal
	}
	scheme, raw, _ := strings.Cut(value, " ")
	raw = strings.Trim(raw, " ")
	if !strings.EqualFold(scheme, "Bearer") || strings.Count(raw, ".") != 2 || len(raw) > token.MaxSize {
		return "", channel.SignatureWrong("header " + tokenHeader + " is not \"Bearer\" and a token of three parts")
	}
	return raw, nil
}

func awaiting() *channel.Refusal {
	return &channel.Refusal{
		Status: http.StatusServiceUnavailable, Reason: ReasonAwaitingKeys,
		Message: "the keys that verify tokens are not fetched yet: send the activity again later",
	}
}

// judge returns why a verified token does not let an activity in.
func (b *Channel) judge(claims *token.Claims, m *scan.Members) *channel.Refusal {
	switch {
	case !slices.ContainsFunc(claims.Audience, b.isAudience):
		return channel.SignatureWrong("the token is for another app than the bot of this channel")
	case m.Alike():
		return channel.SignatureWrong("the activity has a further member that may be read as channelId or serviceUrl")
	case m.Unusable(channelID) || m.Given(channelID) && !claims.Endorses(string(m.Text(channelID))):
		return channel.SignatureWrong("the token's key does not speak for the channelId of the activity")
	case slices.ContainsFunc(claims.ServiceURLs, func(url string) bool { return url != string(m.Text(serviceURL)) }):
		return channel.SignatureWrong("the token is for another serviceUrl than the activity's")
	default:
		return nil
	}
}

// isAudience reports whether a token's audience is the bot. An id is the same in any case of letters.
func (b *Channel) isAudience(of string) bool {
	return slices.ContainsFunc(b.audiences[:], func(spelling string) bool { return strings.EqualFold(spelling, of) })
}
