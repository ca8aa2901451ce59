package controllers

import (
	"net/url"

	"xbot.a4b.vn/channel-connector/api/v1alpha1"
	"xbot.a4b.vn/channel-connector/connector/channel"
	"xbot.a4b.vn/channel-connector/connector/digest"
	"xbot.a4b.vn/channel-connector/connector/report"
	"xbot.a4b.vn/channel-connector/connector/types"
	"xbot.a4b.vn/channel-connector/controllers/registration"
	"xbot.a4b.vn/channel-connector/controllers/render"
	"xbot.a4b.vn/channel-connector/controllers/status"
)

// registers reports whether the operator is to tell the platform where to call.
func (p *pass) registers() bool {
	declared, ok := p.connector.Spec.Channel().(v1alpha1.Registrar)
	return ok && declared.Registers() && types.Channel(string(p.connector.Spec.Type)).Register != nil
}

// awaitsPods is what a registration waits for before a call can be answered.
const awaitsPods = "the pods have taken the configuration with the keys: Ready says if anything is in the way"

// registration has the platform told where to call, if the status does not say that it was, and returns how far that is;
// nil if the operator is not to. The call is made beside the passes.
func (p *pass) registration(o outcome, seen status.Observation) *status.Registration {
	if !p.registers() {
		p.registrar.Leave(p.key)
		return nil
	}
	r := &status.Registration{Fingerprint: p.connector.Status.RegisteredWebhook}
	has := o.resolved.Registering
	if has == nil || has.Unsure {
		p.registrar.Pause(p.key)
		return r
	}
	r.Credential = has.Named
	if oldest := p.ownKeys.oldest(ownKey{p.key.Namespace, has.Ref}, p.key); oldest != nil && byAge(oldest, claimantOf(p.connector)) < 0 {
		p.registrar.Leave(p.key)
		r.Fingerprint, r.Reason, r.Detail = "", status.ReasonCredentialTaken, oldest.key.Name
		return r
	}
	at, reached := status.Exposed(seen)
	token := reportTokenOf(o.current)
	switch {
	case has.Missing:
		r.Detail = "every Secret key is there: CredentialsResolved says which is not"
	case at == "":
		r.Detail = "the webhook has an address: Exposed says why it has none"
	case token == "":
		r.Detail = awaitsPods
	default:
		return p.tellPlatform(o, seen, r, p.wantedOf(o, token, at), reached)
	}
	p.registrar.Pause(p.key)
	r.Reason = status.ReasonPending
	return r
}

// wantedOf is what the platform is to be told.
func (p *pass) wantedOf(o outcome, token, at string) registration.Wanted {
	kind, has := p.connector.Spec.Type, o.resolved.Registering
	w := registration.Wanted{Register: types.Channel(string(kind)).Register, Registration: channel.Registration{
		API: p.PlatformAPIs[string(kind)], Credential: has.Credential, Secret: has.Secret,
		URL: status.WithKey(at, url.QueryEscape(has.APIKey)),
	}}
	sum := digest.Of([]byte(kind), []byte(w.API), []byte(w.Credential), []byte(w.URL), []byte(w.Secret))
	w.Fingerprint = report.KeyID(token, string(sum[:])) // nobody can compare it with that of a guess
	return w
}

// tellPlatform has the platform told what is wanted, once the pods take calls with it.
func (p *pass) tellPlatform(
	o outcome, seen status.Observation, r *status.Registration, w registration.Wanted, reached bool,
) *status.Registration {
	switch {
	case r.Fingerprint == w.Fingerprint:
		p.registrar.Leave(p.key)
		r.Reason = status.ReasonRegistered
	case !reached:
		p.registrar.Pause(p.key)
		r.Reason, r.Detail = status.ReasonPending, "the webhook is reached from outside by HTTPS: Exposed says what is missing"
	case !status.Serves(seen) || o.rendered.input.Config == nil || o.touchAgain > 0: // nil: the pods keep what they have
		p.registrar.Pause(p.key)
		r.Reason, r.Detail = status.ReasonPending, awaitsPods
	case r.Fingerprint != "":
		// The status must say that the last registration no longer counts before a call is made, which may succeed
		// without an answer.
		r.Fingerprint, r.Reason = "", status.ReasonRegistering
	default:
		note(r, p.registrar.Want(p.key, w), w.Fingerprint)
	}
	return r
}

// note notes what has become of a registration.
func note(r *status.Registration, is registration.Outcome, fingerprint string) {
	switch r.Detail = is.Failure; {
	case is.Registered:
		r.Fingerprint, r.Reason = fingerprint, status.ReasonRegistered
	case is.Refused:
		r.Reason = status.ReasonCredentialRefused
	case is.Failure != "":
		r.Reason = status.ReasonRegistrationFailed
	default:
		r.Reason = status.ReasonRegistering
	}
}

// reportTokenOf is the token in the configuration that is in the cluster; empty if there is none.
func reportTokenOf(c *currentConfig) string {
	if c == nil {
		return ""
	}
	return string(c.files[render.FileReportToken])
}
